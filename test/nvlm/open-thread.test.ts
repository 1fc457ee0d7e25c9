import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openThread } from '../../src/nvlm/worker/open-thread.js'
import { projectFolder } from '../support/run-node.js'

test('a thread runs its script with its data', async () => {
  const script =
    'import { parentPort, workerData } from "node:worker_threads"; parentPort.postMessage(workerData)'
  const url = new URL(`data:text/javascript,${encodeURIComponent(script)}`)
  const thread = openThread(url, { workerData: 7 })
  expect(await once(thread, 'message')).toEqual([7])
  await thread.terminate()
})

test('no thread of Node is started where Turbopack traces it, and takes every file beside for its script', () => {
  const folder = join(projectFolder, 'src')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name =>
    name.endsWith('.ts'),
  )
  const threaded = files.filter(name =>
    readFileSync(join(folder, name), 'utf8').includes('node:worker_threads'),
  )
  expect(threaded).toContain(join('nvlm', 'worker', 'open-thread.ts'))
  const traced = threaded.filter(name => /new Worker\(/.test(readFileSync(join(folder, name), 'utf8')))
  expect(traced).toEqual([])
})

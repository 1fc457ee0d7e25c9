import { type ChildProcess, fork } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeFiles } from '../../src/platform/node/files.js'
import { openPrepared } from '../../src/prepare/prepared-model.js'
import { buildForNode } from '../nvlm/build-for-node.js'
import { checkpointFolder } from '../support/official-golden.js'

const NUM_KILLS = 40

const folder = mkdtempSync(join(tmpdir(), 'nvlm-killed-'))
const checkpoint = join(folder, 'checkpoint')
let built: string

beforeAll(async () => {
  cpSync(checkpointFolder('nvlmd-tiny-bf16-sharded'), checkpoint, { recursive: true })
  built = await buildForNode({ prepare: 'test/prepare/killable-prepare.ts' })
})
afterAll(() => {
  rmSync(folder, { recursive: true })
  rmSync(built, { recursive: true })
})

/** Run the preparation in a process of its own; kill it after `delay` ms. */
async function runKilled(out: string, delay: number | undefined): Promise<void> {
  const child = fork(join(built, 'prepare.mjs'), { stdio: 'inherit' })
  await nextMessage(child)
  child.send({ checkpoint, out })
  await nextMessage(child)
  const timer = delay === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), delay)
  const code = await new Promise(resolve => child.once('exit', resolve))
  clearTimeout(timer)
  if (delay === undefined) expect(code).toBe(0)
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise(resolve => child.once('message', resolve))
}

function contents(out: string): ReadonlyMap<string, string> {
  return new Map(readdirSync(out).map(name => [name, readFileSync(join(out, name)).toString('base64')]))
}

test('a kill at any moment leaves no folder or a whole one, and the next run mends the rest', async () => {
  const whole = join(folder, 'whole')
  const started = performance.now()
  await runKilled(whole, undefined)
  const duration = performance.now() - started
  const expected = contents(whole)

  const out = join(folder, 'out')
  let numAbsent = 0
  for (let kill = 0; kill < NUM_KILLS; kill++) {
    await runKilled(out, (duration * kill) / NUM_KILLS)
    if (!existsSync(out)) {
      numAbsent++
      continue
    }
    await openPrepared(nodeFiles, out)
    expect(contents(out)).toEqual(expected)
    rmSync(out, { recursive: true })
  }
  expect(numAbsent).toBeGreaterThan(0)
  await runKilled(out, undefined)
  expect(contents(out)).toEqual(expected)
  expect(readdirSync(folder).filter(name => name.startsWith('.'))).toEqual([])
}, 120_000)

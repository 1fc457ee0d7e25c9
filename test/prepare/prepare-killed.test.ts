import { type ChildProcess, fork } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeFiles } from '../../src/platform/node/files.js'
import { verifyModel } from '../../src/prepare/verify-model.js'
import { buildForNode } from '../nvlm/build-for-node.js'
import { checkpointFolder } from '../support/official-golden.js'
import type { Job } from './killable-prepare.js'

/** Kills of each dtype; `NVLM_KILLS=200 npx vitest run test/prepare/prepare-killed.test.ts` for 600 in all, about 4 minutes. */
const NUM_KILLS = Number(process.env.NVLM_KILLS ?? 10)

const folder = mkdtempSync(join(tmpdir(), 'nvlm-killed-'))
const checkpoint = join(folder, 'checkpoint')
let built: string

beforeAll(async () => {
  cpSync(checkpointFolder('nvlmd-tiny-bf16-sharded'), checkpoint, { recursive: true })
  built = await buildForNode({
    prepare: 'test/prepare/killable-prepare.ts',
    'convert-worker': 'src/nvlm/worker/convert-worker.ts',
  })
})
afterAll(() => {
  rmSync(folder, { recursive: true })
  rmSync(built, { recursive: true })
})

/** Run the preparation in a process of its own; kill it after `delay` ms. Gives the last message of a whole run. */
async function run(options: Job['options'], delay?: number): Promise<{ readonly first?: number }> {
  const child = fork(join(built, 'prepare.mjs'), { stdio: 'inherit' })
  await nextMessage(child)
  child.send({ checkpoint, options, journalBytes: 1 } satisfies Job)
  await nextMessage(child)
  let last: { readonly first?: number } = {}
  child.on('message', message => {
    last = message as typeof last
  })
  const timer = delay === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), delay)
  const code = await new Promise(resolve => child.once('exit', resolve))
  clearTimeout(timer)
  if (delay === undefined) expect(code).toBe(0)
  return last
}

function nextMessage(child: ChildProcess): Promise<unknown> {
  return new Promise(resolve => child.once('message', resolve))
}

function contents(out: string): ReadonlyMap<string, string> {
  return new Map(readdirSync(out).map(name => [name, readFileSync(join(out, name)).toString('base64')]))
}

test.each(['fp32', 'q8', 'q4'])(
  'a kill at any moment of preparing %s leaves no folder or a whole one, and the next run goes on',
  async dtype => {
    const whole = join(folder, `whole-${dtype}`)
    const started = performance.now()
    await run({ out: whole, dtype })
    const duration = performance.now() - started
    const expected = contents(whole)

    const out = join(folder, 'out')
    let numAbsent = 0
    for (let kill = 0; kill < NUM_KILLS; kill++) {
      await run({ out, dtype }, (duration * (kill + Math.random())) / NUM_KILLS)
      if (!existsSync(out)) {
        numAbsent++
        continue
      }
      expect((await verifyModel(nodeFiles, out)).ok).toBe(true)
      expect(contents(out)).toEqual(expected)
      rmSync(out, { recursive: true })
    }
    expect(numAbsent).toBeGreaterThan(0)
    await run({ out, dtype })
    expect(contents(out)).toEqual(expected)
    expect(readdirSync(folder).filter(name => name.startsWith('.'))).toEqual([])
    rmSync(out, { recursive: true })
  },
  600_000,
)

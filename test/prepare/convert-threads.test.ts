import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startConvertThreads } from '../../src/nvlm/worker/convert-threads.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import type { SlabTask } from '../../src/prepare/convert-slab.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import { buildForNode } from '../nvlm/build-for-node.js'
import { checkpointFolder } from '../support/official-golden.js'

const { files, publisher } = nodePlatform
const folder = mkdtempSync(join(tmpdir(), 'nvlm-threads-'))
const checkpoint = join(folder, 'checkpoint')
let built: string

beforeAll(async () => {
  cpSync(checkpointFolder('nvlmd-tiny-bf16-sharded'), checkpoint, { recursive: true })
  built = await buildForNode({ worker: 'src/nvlm/worker/convert-worker.ts' })
})
afterAll(() => {
  rmSync(folder, { recursive: true })
  rmSync(built, { recursive: true })
})

const startConverter = (numThreads = 3) =>
  startConvertThreads(pathToFileURL(join(built, 'worker.mjs')), numThreads)

test.each(['bf16', 'fp16', 'q8', 'q4'])(
  'threads write the bytes of %s that one thread writes',
  async dtype => {
    const options = { dtype, activations: 'fp32' } as const
    const here = await prepareCheckpoint(files, publisher, checkpoint, {
      ...options,
      out: join(folder, `here-${dtype}`),
    })
    const machine = { startConverter, journalBytes: 1000 }
    const out = join(folder, `there-${dtype}`)
    const there = await prepareCheckpoint(files, publisher, checkpoint, { ...options, out }, machine)
    expect(there).toEqual(here)
    for (const { file } of here.data) {
      const [a, b] = ['here', 'there'].map(side => readFileSync(join(folder, `${side}-${dtype}`, file)))
      expect(Buffer.compare(a!, b!)).toBe(0)
    }
  },
)

const path = join(folder, 'rows.bin')
const task: SlabTask = {
  ...{ name: 'layer.weight', from: 'F32', to: 'F16', rows: 2, storedColumns: 3, columns: 2 },
  source: { path, offset: 4 },
  targets: [{ path: join(folder, 'target.bin'), offset: 8 }],
  rounding: 'search',
}

test('rows go from their place to their place', async () => {
  writeFileSync(path, new Uint8Array(Float32Array.of(7, 1, 2, 7, -1, 0.5, 7).buffer))
  writeFileSync(task.targets[0]!.path, new Uint8Array(20).fill(9))
  const converter = startConverter(1)
  await converter.convert(task)
  await converter.close()
  const nines = [9, 9, 9, 9, 9, 9, 9, 9]
  const halves = [...new Uint8Array(Uint16Array.of(0x3c00, 0x4000, 0xbc00, 0x3800).buffer)]
  expect([...readFileSync(task.targets[0]!.path)]).toEqual([...nines, ...halves, 9, 9, 9, 9])
})

test('what goes wrong in a thread is reported as anywhere, and the next slab is converted', async () => {
  writeFileSync(path, new Uint8Array(Float32Array.of(7, 1, 70_000, 7, Number.NaN, 0.5, 7).buffer))
  writeFileSync(task.targets[0]!.path, new Uint8Array(20))
  const converter = startConverter(1)
  try {
    const failing = (change: Partial<SlabTask>) => converter.convert({ ...task, ...change })
    await expect(failing({})).rejects.toMatchObject({
      code: 'NUMERIC',
      message: expect.stringMatching(/layer\.weight.* 70000/),
    })
    await expect(failing({ to: 'q8' })).rejects.toMatchObject({
      code: 'NUMERIC',
      message: expect.stringMatching(/NaN/),
    })
    await expect(failing({ source: { path: `${path}.gone`, offset: 0 } })).rejects.toMatchObject({
      code: 'MODEL_NOT_FOUND',
    })
    await expect(failing({ source: { path, offset: 8 } })).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    const nowhere = { path: join(folder, 'gone', 'target.bin'), offset: 0 }
    await expect(failing({ rows: 1, columns: 1, targets: [nowhere] })).rejects.toMatchObject({
      code: 'OUTPUT_FAILED',
    })
    await failing({ rows: 1, columns: 1 })
  } finally {
    await converter.close()
  }
})

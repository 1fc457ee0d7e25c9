import { mkdtempSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import type { Stages } from '../../src/nvlm/stages.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import { checkpointFolder } from '../support/official-golden.js'

/** `NVLM_REPUBLISHES=100 npx vitest run test/prepare/republish.test.ts` for a hundred. */
const NUM_REPUBLISHES = Number(process.env.NVLM_REPUBLISHES ?? 10)
const root = mkdtempSync(join(tmpdir(), 'nvlm-republish-'))
afterAll(() => rmSync(root, { recursive: true }))

const { files, publisher } = nodePlatform
const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }
const prepare = (out: string, dtype: string) =>
  prepareCheckpoint(files, publisher, checkpointFolder('nvlmd-tiny-fp32'), {
    out,
    dtype,
    rounding: 'min-max',
  })

async function logitsOf({ decoder }: Stages): Promise<Float32Array> {
  const state = await decoder.open({ contextLength: 32 })
  const { data } = await state.prefill({ inputIds: [5, 77, 300, 12] })
  return data.slice()
}

test('a loaded model is not touched by others that take its folder: nothing changes and nothing crashes', async () => {
  const folder = join(root, 'model')
  await prepare(folder, 'q4')
  const stages = await loadStages(host, folder, { device: 'cpu' })
  try {
    const expected = await logitsOf(stages)
    await expect(prepare(folder, 'q8')).rejects.toMatchObject({ code: 'OUTPUT_EXISTS' })
    for (let i = 0; i < NUM_REPUBLISHES; i++) {
      renameSync(folder, `${folder}-${i}`)
      const [, during] = await Promise.all([prepare(folder, i % 2 === 0 ? 'q8' : 'q4'), logitsOf(stages)])
      rmSync(`${folder}-${i}`, { recursive: true })
      expect(during).toEqual(expected)
      expect(await logitsOf(stages)).toEqual(expected)
    }
  } finally {
    await stages.dispose()
  }
}, 600_000)

test('files of a prepared folder cannot be written', async () => {
  const folder = join(root, 'read-only')
  const { data, graphs } = await prepare(folder, 'q4')
  for (const { file } of [...data, graphs.decoder]) {
    expect(statSync(join(folder, file)).mode & 0o222).toBe(0)
  }
})

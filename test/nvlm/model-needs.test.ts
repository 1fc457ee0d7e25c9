import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { inspectModel } from '../../src/nvlm/inspect-model.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import { fusionFolder } from '../support/fusion-golden.js'
import { nvlm72B, nvlmConfig, nvlmTensors, writeShardedCheckpoint } from '../support/nvlm-d-72b.js'
import { checkpointFolder } from '../support/official-golden.js'

const { files, publisher } = nodePlatform
const folder = mkdtempSync(join(tmpdir(), 'nvlm-needs-'))
afterAll(() => rmSync(folder, { recursive: true }))

test.each([checkpointFolder('qwen2-tiny-tied-fp32'), fusionFolder('x')])(
  'tells the size of the data files to the byte: %s',
  async checkpoint => {
    const { needs } = await inspectModel(files, checkpoint)
    for (const { dtype, diskBytes } of needs!.filter(({ dtype }) => dtype !== 'fp32')) {
      const out = join(folder, basename(checkpoint), dtype)
      await prepareCheckpoint(files, publisher, checkpoint, { out, dtype })
      const data = readdirSync(out).filter(name => name.endsWith('.bin'))
      expect(
        data.reduce((sum, name) => sum + statSync(join(out, name)).size, 0),
        dtype,
      ).toBe(diskBytes)
    }
    expect((await inspectModel(files, join(folder, basename(checkpoint), 'q4'))).needs).toBeUndefined()
  },
)

test('NVLM-D-72B: knows what fits, and refuses what does not', async () => {
  const checkpoint = join(folder, '72b')
  await writeShardedCheckpoint(checkpoint, nvlmConfig(nvlm72B), nvlmTensors(nvlm72B), 46)
  const { needs } = await inspectModel(files, checkpoint)
  const of = (name: string) => needs!.find(({ dtype }) => dtype === name)!
  // 78.9 billion weights at 2 bytes; the published vision tower is float32
  expect(of('bf16').diskBytes / 1e9).toBeCloseTo(157.7, 0)
  expect(of('q4').diskBytes / 1e9).toBeCloseTo(63.2, 0)
  expect(of('fp32').memoryBytes).toBeGreaterThan(1.9 * of('bf16').gpuMemoryBytes)
  for (const options of [{ memoryBytes: 24e9 }, { memoryBytes: 64e9, dtype: 'bf16' }]) {
    await expect(inspectModel(files, checkpoint, options)).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(/needs about [\d.]+ GB of memory with 4096 tokens, this machine has/),
    })
  }
  expect((await inspectModel(files, checkpoint, { memoryBytes: 128e9, dtype: 'q4' })).needs).toHaveLength(1)
})

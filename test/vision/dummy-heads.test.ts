import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { openCheckpoint } from '../../src/formats/safetensors-checkpoint.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import { nodeFiles } from '../../src/platform/node/files.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { checkpointFolder, maxAbsDiff } from '../support/official-golden.js'

const HIDDEN = 64
const PADDED = 176
const folder = mkdtempSync(join(tmpdir(), 'nvlm-dummies-'))
const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }
const pixelValues = { data: sequence(3 * 56 * 56, 99), dims: [1, 3, 56, 56] }

afterAll(() => rmSync(folder, { recursive: true }))

/** As `sequence` of make_golden.py. */
function sequence(count: number, seed: number): Float32Array {
  let state = seed
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(1_664_525, state) + 1_013_904_223) >>> 0
    return state / 2 ** 31 - 1
  })
}

/** A copy of the tiny checkpoint with its dummy heads filled; only the value rows when `what` says so. */
async function fillDummies(what: 'all' | 'queries and keys'): Promise<string> {
  const copy = join(folder, what.replaceAll(' ', '-'))
  cpSync(checkpointFolder('nvlmd-tiny-fp32'), copy, { recursive: true })
  const path = join(copy, 'model.safetensors')
  const bytes = readFileSync(path)
  const { tensors } = await openCheckpoint(nodeFiles, copy)
  for (let layer = 0; layer < 3; layer++) {
    const attn = `vision_model.encoder.layers.${layer}.attn`
    const qkv = tensors.get(`${attn}.qkv.weight`)!.offset
    for (let block = 0; block < (what === 'all' ? 3 : 2); block++) {
      const values = sequence((PADDED - HIDDEN) * HIDDEN, 10 * layer + block).map(
        value => Math.fround(0.2) * value,
      )
      bytes.set(new Uint8Array(values.buffer), qkv + (block * PADDED + HIDDEN) * HIDDEN * 4)
    }
    if (what !== 'all') continue
    const proj = tensors.get(`${attn}.proj.weight`)!.offset
    const columns = sequence((PADDED - HIDDEN) * HIDDEN, 10 * layer + 3).map(
      value => Math.fround(0.1) * value,
    )
    for (let row = 0; row < HIDDEN; row++) {
      const part = columns.slice(row * (PADDED - HIDDEN), (row + 1) * (PADDED - HIDDEN))
      bytes.set(new Uint8Array(part.buffer), proj + (row * PADDED + HIDDEN) * 4)
    }
  }
  writeFileSync(path, bytes)
  return copy
}

async function features(checkpoint: string): Promise<Float32Array> {
  const stages = await loadStages(host, checkpoint)
  try {
    return (await stages.visionEncoder.encode(pixelValues)).data
  } finally {
    await stages.dispose()
  }
}

test('dummy heads that are not zero are computed, as the official code does', async () => {
  const golden = readFileSync(new URL('../golden/dummy-heads/features.f32', import.meta.url))
  const expected = new Float32Array(
    golden.buffer.slice(golden.byteOffset, golden.byteOffset + golden.byteLength),
  )
  const actual = await features(await fillDummies('all'))
  expect(maxAbsDiff(actual, expected)).toBeLessThanOrEqual(1e-4)
  // they do matter: without them the features are others
  expect(maxAbsDiff(actual, await features(checkpointFolder('nvlmd-tiny-fp32')))).toBeGreaterThan(0.1)
})

test('dummy heads with zero values change nothing, whatever their queries and keys are', async () => {
  const actual = await features(await fillDummies('queries and keys'))
  expect(maxAbsDiff(actual, await features(checkpointFolder('nvlmd-tiny-fp32')))).toBe(0)
})

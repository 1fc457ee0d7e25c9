import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { numElements } from '../../src/core/tensor.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import type { Stages } from '../../src/nvlm/stages.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { nvlmConfig, nvlmTensors, writeShardedCheckpoint } from '../support/nvlm-d-72b.js'
import { checkpointFolder, maxAbsDiff } from '../support/official-golden.js'
import type { StoredTensor } from '../support/write-safetensors.js'

const folder = mkdtempSync(join(tmpdir(), 'nvlm-true-size-'))
const sizes = { numVisionLayers: 2, numDecoderLayers: 2, vocabSize: 512 }
let stages: Stages

beforeAll(async () => {
  await writeShardedCheckpoint(folder, nvlmConfig(sizes), nvlmTensors(sizes).map(withRandomData), 4)
  for (const name of ['vocab.json', 'merges.txt', 'tokenizer_config.json']) {
    copyFileSync(join(checkpointFolder('nvlmd-tiny-fp32'), name), join(folder, name))
  }
  const started = performance.now()
  stages = await loadStages({ platform: nodePlatform, backend: onnxruntimeNodeBackend }, folder)
  report('load', started)
})
afterAll(async () => {
  await stages.dispose()
  rmSync(folder, { recursive: true })
})

test('two InternViT-6B layers and the projector see a tile', async () => {
  const pixelValues = { data: randomFloats(3 * 448 * 448, 1), dims: [1, 3, 448, 448] }
  const encoding = performance.now()
  const features = await stages.visionEncoder.encode(pixelValues)
  report('vision, 2 layers, 1 tile', encoding)
  expect(features.dims).toEqual([1, 1024, 3200])
  const projecting = performance.now()
  const imageEmbeds = await stages.projector.project(features)
  report('projector, 1 tile', projecting)
  expect(imageEmbeds.dims).toEqual([256, 8192])
  expect(imageEmbeds.data.every(Number.isFinite)).toBe(true)
  expect(Math.max(...imageEmbeds.data.subarray(0, 8192))).toBeGreaterThan(0)
})

test('two decoder layers read a prompt at once and token by token alike', async () => {
  const inputIds = Array.from({ length: 64 }, (_, index) => (index * 37) % 256)
  const state = await stages.decoder.open({ contextLength: 128 })
  const prefilling = performance.now()
  const whole = await state.prefill({ inputIds }, { allPositions: true })
  report('decoder, 2 layers, 64 tokens at once', prefilling)
  state.truncate(60)
  let last = whole.data
  const stepping = performance.now()
  for (const id of inputIds.slice(60)) last = (await state.step(id)).data
  report('decoder, 2 layers, 4 steps', stepping)
  expect(last.every(Number.isFinite)).toBe(true)
  expect(maxAbsDiff(last, whole.data.subarray(-512))).toBeLessThan(1e-3)
})

function report(what: string, started: number): void {
  process.stdout.write(`${what}: ${((performance.now() - started) / 1000).toFixed(2)} s\n`)
}

/** Weights that keep the activations near one: norms and scales about 1, matrices with variance 1 / width. */
function withRandomData(tensor: StoredTensor): StoredTensor {
  const { name, dtype, shape } = tensor
  const count = numElements(shape)
  const isDummyPadded = name.includes('attn.qkv') || name.includes('attn.proj.weight')
  // made when it is written and not kept: all of it together has 6 GB
  if (isDummyPadded) {
    return {
      ...tensor,
      get data() {
        return paddedAttention(name, shape)
      },
    }
  }
  const isScale = shape.length === 1 && name.endsWith('.weight')
  const spread = isScale ? 0.1 : shape.length === 1 ? 0.02 : 1.7 / Math.sqrt(numElements(shape.slice(1)))
  return {
    ...tensor,
    get data() {
      const values = randomFloats(count, spread, isScale ? 1 : 0)
      return dtype === 'F32' ? values : upperHalves(values)
    },
  }
}

/** The seven dummy heads stay zero, as in the published file. */
function paddedAttention(name: string, [rows, columns]: readonly number[]): Float32Array {
  const values = randomFloats(rows! * columns!, 1.7 / Math.sqrt(columns!))
  const [real, padded] = [3200, 4096]
  for (let row = 0; row < rows!; row++) {
    if (name.includes('qkv') && row % padded >= real) values.fill(0, row * columns!, (row + 1) * columns!)
    if (!name.includes('qkv')) values.fill(0, row * columns! + real, (row + 1) * columns!)
  }
  return values
}

/** Uniform around `center`; a cheap generator, since gigabytes are drawn. */
function randomFloats(count: number, spread: number, center = 0): Float32Array {
  const values = new Float32Array(count)
  for (let i = 0, state = count | 1; i < count; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    values[i] = center + (state / 2 ** 31) * spread
  }
  return values
}

/** bfloat16 by cutting: the exact value does not matter here. */
function upperHalves(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.buffer)
  const codes = new Uint16Array(values.length)
  for (let i = 0; i < codes.length; i++) codes[i] = halves[2 * i + 1]!
  return codes
}

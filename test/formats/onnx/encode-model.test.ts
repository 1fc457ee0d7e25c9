import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { float32ToBfloat16 } from '../../../src/core/bfloat16.js'
import type { DType } from '../../../src/core/dtypes.js'
import { float32ToFloat16 } from '../../../src/core/float16.js'
import { encodeModel } from '../../../src/formats/onnx/encode-model.js'
import {
  type OnnxDataType,
  type OnnxExternalData,
  type OnnxInitializer,
  type OnnxModel,
  type OnnxNode,
  onnxDataTypes,
} from '../../../src/formats/onnx/onnx-model.js'
import { openCheckpoint } from '../../../src/formats/safetensors-checkpoint.js'
import { nodeFiles } from '../../../src/platform/node/files.js'
import { writeSafetensors } from '../../support/write-safetensors.js'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nvlm-onnx-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

function node(
  opType: string,
  inputs: readonly string[],
  outputs: readonly string[],
  more: Partial<OnnxNode> = {},
): OnnxNode {
  return { opType, domain: '', name: `${opType}:${outputs[0]}`, inputs, outputs, attributes: {}, ...more }
}

/** y = f(x) with x float32 [batch, 4] and y float32 [batch, 3]. */
function model(nodes: readonly OnnxNode[], initializers: readonly OnnxInitializer[]): OnnxModel {
  return {
    name: 'test',
    opsets: { '': 21, 'com.microsoft': 1 },
    inputs: [{ name: 'x', type: 'float32', dims: ['batch', 4] }],
    outputs: [{ name: 'y', type: 'float32', dims: ['batch', 3] }],
    initializers,
    nodes,
  }
}

const weight = Float32Array.from({ length: 12 }, (_, i) => (i - 5) / 4)
const bias = Float32Array.of(0.5, -1, 2)
const input = Float32Array.of(1, 2, 3, 4, -1, 0.5, 0, 8)

/** x · weightᵀ + bias, computed by hand. */
const expected = Float32Array.from({ length: 6 }, (_, at) => {
  const row = Math.floor(at / 3)
  const column = at % 3
  return [0, 1, 2, 3].reduce((sum, i) => sum + input[row * 4 + i]! * weight[column * 4 + i]!, bias[column]!)
})

const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)

async function run(model: string | Uint8Array): Promise<Float32Array> {
  // two overloads, so that TypeScript wants the two apart
  const session = await (typeof model === 'string'
    ? InferenceSession.create(model)
    : InferenceSession.create(model))
  const { y } = await session.run({ x: new Tensor('float32', input, [2, 4]) })
  await session.release()
  return y!.data as Float32Array
}

const w: OnnxInitializer = { name: 'w', type: 'float32', dims: [3, 4], data: bytesOf(weight) }
const gemm = node('Gemm', ['x', 'w', 'b'], ['y'], { attributes: { transB: 1, alpha: { float: 1 } } })

describe('a model runs in ONNX Runtime', () => {
  test('with its constants inline', async () => {
    const encoded = encodeModel(
      model([gemm], [w, { name: 'b', type: 'float32', dims: [3], data: bytesOf(bias) }]),
    )
    expect(await run(encoded)).toEqual(expected)
  })

  test.each<readonly [DType, OnnxDataType, ArrayBufferView]>([
    ['F32', 'float32', weight],
    ['BF16', 'bfloat16', float32ToBfloat16(weight)],
    ['F16', 'float16', float32ToFloat16(weight)],
  ])('with %s weights left in the safetensors file, at an odd offset', async (dtype, type, data) => {
    const subfolder = mkdtempSync(join(folder, 'checkpoint-'))
    await writeSafetensors(
      join(subfolder, 'model.safetensors'),
      [
        { name: 'odd', dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 3) },
        { name: 'weight', dtype, shape: [3, 4], data },
        { name: 'bias', dtype: 'F32', shape: [3], data: bias },
      ],
      { headerAlignment: 2 },
    )
    const { tensors } = await openCheckpoint(nodeFiles, subfolder)
    const inCheckpoint = (name: string): OnnxExternalData => {
      const { offset, byteLength } = tensors.get(name)!
      return { file: 'model.safetensors', offset, byteLength }
    }
    expect(inCheckpoint('weight').offset % 2).toBe(1)
    const nodes = [
      node('Cast', ['w'], ['w32'], { attributes: { to: onnxDataTypes.float32 } }),
      node('Gemm', ['x', 'w32', 'b'], ['y'], { attributes: { transB: 1 } }),
    ]
    const constants: readonly OnnxInitializer[] = [
      { name: 'w', type, dims: [3, 4], data: inCheckpoint('weight') },
      { name: 'b', type: 'float32', dims: [3], data: inCheckpoint('bias') },
    ]
    const path = join(subfolder, 'model.onnx')
    writeFileSync(path, encodeModel(model(nodes, constants)))
    expect(await run(path)).toEqual(expected)
  })

  test('with attributes of every kind, an input left out, and an operator of another domain', async () => {
    const scaled = { transB: 1, alpha: { float: -2 } }
    const nodes = [
      node('Slice', ['x', 'starts', 'ends', '', 'steps'], ['sliced']),
      node('Transpose', ['w'], ['turned'], { attributes: { perm: [1, 0] } }),
      node('Einsum', ['sliced', 'turned'], ['product'], { attributes: { equation: 'bi,io->bo' } }),
      node('LeakyRelu', ['product'], ['leaky'], { attributes: { alpha: { float: 0.5 } } }),
      node('FusedMatMul', ['x', 'w'], ['fused'], { domain: 'com.microsoft', attributes: scaled }),
      node('Add', ['leaky', 'fused'], ['y']),
    ]
    const int64 = (name: string, ...values: readonly bigint[]): OnnxInitializer => ({
      ...{ name, type: 'int64', dims: [values.length] },
      data: bytesOf(BigInt64Array.from(values)),
    })
    const constants = [int64('starts', 0n, 0n), int64('ends', 2n, 4n), int64('steps', 1n, 1n)]
    const product = expected.map((value, at) => value - bias[at % 3]!)
    expect(await run(encodeModel(model(nodes, [w, ...constants])))).toEqual(
      product.map(value => (value < 0 ? 0.5 * value : value) - 2 * value),
    )
  })
})

test('a negative attribute arrives as it is', async () => {
  const nodes = [
    node('Softmax', ['x'], ['soft'], { attributes: { axis: -1 } }),
    node('ReduceSum', ['soft', 'axes'], ['y'], { attributes: { keepdims: 1 } }),
  ]
  const base = model(nodes, [
    { name: 'axes', type: 'int64', dims: [1], data: bytesOf(BigInt64Array.of(-1n)) },
  ])
  const encoded = encodeModel({ ...base, outputs: [{ name: 'y', type: 'float32', dims: ['batch', 1] }] })
  for (const sum of await run(encoded)) expect(sum).toBeCloseTo(1, 6)
})

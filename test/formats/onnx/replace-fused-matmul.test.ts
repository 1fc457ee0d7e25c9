import { InferenceSession, Tensor } from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { encodeModel } from '../../../src/formats/onnx/encode-model.js'
import type { OnnxAttribute } from '../../../src/formats/onnx/onnx-model.js'
import { replaceFusedMatMul } from '../../../src/formats/onnx/replace-fused-matmul.js'
import { float, GraphBuilder } from '../../../src/graph/graph-builder.js'
import { decodeOnnx } from '../../support/decode-onnx.js'
import { maxAbsDiff } from '../../support/official-golden.js'

type Flags = Readonly<Record<string, OnnxAttribute>>

/** A product of values that the graph made, and one of them with an input. */
function modelOf(dims: readonly number[], otherDims: readonly number[], flags: Flags): Uint8Array {
  const graph = new GraphBuilder('products')
  const attributes = { alpha: float(0.25), ...flags }
  const product = (name: string, operands: Parameters<GraphBuilder['op']>[1], attributes: Flags | object) => {
    const result = graph.op('FusedMatMul', operands, {
      domain: 'com.microsoft',
      attributes: attributes as never,
    })
    graph.output(
      name,
      result,
      'float32',
      dims.map((_, axis) => `${name}.${axis}`),
    )
  }
  const a = graph.op('Neg', [graph.input('a', 'float32', dims)])
  const b = graph.input('b', 'float32', otherDims)
  product('made', [a, graph.op('Neg', [b])], attributes)
  product('given', [a, b], attributes)
  return encodeModel(graph.build())
}

async function run(model: Uint8Array, dims: readonly number[], otherDims: readonly number[]) {
  const session = await InferenceSession.create(model)
  const tensor = (shape: readonly number[], step: number) => {
    const length = shape.reduce((product, dim) => product * dim, 1)
    return new Tensor(
      'float32',
      Float32Array.from({ length }, (_, i) => Math.sin(i * step + 1)),
      shape,
    )
  }
  const outputs = await session.run({ a: tensor(dims, 1.3), b: tensor(otherDims, 0.7) })
  await session.release()
  return outputs
}

test.each<[string, number[], number[], Flags, string[]]>([
  ['matrices', [7, 5], [6, 5], { transB: 1 }, ['Gemm']],
  ['matrices as they lie', [7, 5], [5, 4], {}, ['Gemm']],
  ['stacks of matrices', [2, 7, 5], [2, 6, 5], { transB: 1 }, ['Transpose', 'MatMul', 'Constant', 'Mul']],
  [
    'a stack with its batch inside',
    [2, 7, 5],
    [6, 2, 5],
    { transB: 1, transBatchB: 1 },
    ['Transpose', 'MatMul', 'Constant', 'Mul'],
  ],
  [
    'such a stack as it lies',
    [2, 7, 5],
    [5, 2, 3],
    { transBatchB: 1 },
    ['Transpose', 'MatMul', 'Constant', 'Mul'],
  ],
  ['a stack without a factor', [2, 7, 5], [2, 5, 3], { alpha: float(1) }, ['Transpose', 'MatMul']],
])('gives products of %s the same results by other operators', async (_, dims, other, flags, operators) => {
  const model = modelOf(dims, other, flags)
  const replaced = replaceFusedMatMul(model)
  const found = decodeOnnx(replaced).nodes.map(({ opType }) => opType)
  expect(found.filter(name => name !== 'Identity' && name !== 'Neg')).toEqual([...operators, ...operators])
  const expected = await run(model, dims, other)
  for (const [name, { data, dims: shape }] of Object.entries(await run(replaced, dims, other))) {
    expect(shape).toEqual(expected[name]!.dims)
    expect(maxAbsDiff(data as Float32Array, expected[name]!.data as Float32Array)).toBeLessThan(1e-6)
  }
})

test('leaves products alone that standard operators can not say', () => {
  const model = modelOf([2, 5, 7], [2, 5, 6], { transA: 1 })
  expect(replaceFusedMatMul(model)).toEqual(model)
})

import { blockFormats, blockRowBytes } from '../formats/blocks/block-format.js'
import { type OnnxDataType, onnxDataTypes } from '../formats/onnx/onnx-model.js'
import type { GraphBuilder, Value } from './graph-builder.js'
import { slice, transpose } from './ops.js'
import type { BlockPlace, FloatPlace, GraphCompute, WeightPlace } from './weight-source.js'

/** Element types of stored floats, with their bytes. */
export const floatTypes: Readonly<
  Record<FloatPlace['dtype'], { readonly type: OnnxDataType; readonly bytes: number }>
> = {
  F32: { type: 'float32', bytes: 4 },
  F16: { type: 'float16', bytes: 2 },
  BF16: { type: 'bfloat16', bytes: 2 },
}

/** What a product with a stored matrix is made from. */
interface Multiplication<Place> {
  /** Name of the stored part, used by this place only. */
  readonly key: string
  readonly place: Place
  /** float32 [n, columns]. */
  readonly x: Value
  /** float32 [rows]. */
  readonly bias: Value | undefined
  /** Columns of the matrix that are used. */
  readonly columns: number
  readonly compute: GraphCompute
}

type Multiply<Place> = (graph: GraphBuilder, product: Multiplication<Place>) => Value

/** x · weightᵀ (+ bias) for each format that a matrix can be stored in. */
const multiplications: Readonly<{
  [Name in WeightPlace['dtype']]: Multiply<Extract<WeightPlace, { dtype: Name }>>
}> = {
  F32: multiplyFloats,
  BF16: multiplyFloats,
  F16: (graph, product) =>
    product.compute.linear === 'float16' ? multiplyHalves(graph, product) : multiplyFloats(graph, product),
  q8: multiplyBlocks,
  q4: multiplyBlocks,
  int8: multiplyRows,
}

/** x · weightᵀ (+ bias): float32 [n, rows]. */
export function multiply(graph: GraphBuilder, product: Multiplication<WeightPlace>): Value {
  const inFormat = multiplications[product.place.dtype] as Multiply<WeightPlace>
  return inFormat(graph, product)
}

/** Stored floats as float32 `dims`: read in place, or through a Cast that the engine folds at load. */
export function readFloats(
  graph: GraphBuilder,
  key: string,
  place: FloatPlace,
  dims: readonly number[],
): Value {
  const stored = storedFloats(graph, key, place, dims)
  return place.dtype === 'F32' ? stored : cast(graph, stored, 'float32')
}

function storedFloats(graph: GraphBuilder, key: string, place: FloatPlace, dims: readonly number[]): Value {
  const { type, bytes } = floatTypes[place.dtype]
  const byteLength = place.rows * place.columns * bytes
  return graph.external(key, type, dims, { file: place.file, offset: place.offset, byteLength })
}

function multiplyFloats(graph: GraphBuilder, product: Multiplication<FloatPlace>): Value {
  const { key, place, x, bias, columns } = product
  const stored = readFloats(graph, key, place, [place.rows, place.columns])
  const weight = columns === place.columns ? stored : slice(graph, stored, 0, columns, 1)
  return gemm(graph, x, weight, bias)
}

/** A product in float16, its bias added in float32. Sums beyond 65504 become infinite. */
function multiplyHalves(graph: GraphBuilder, product: Multiplication<FloatPlace>): Value {
  const { key, place, x, bias, columns } = product
  const stored = storedFloats(graph, key, place, [place.rows, place.columns])
  const weight = columns === place.columns ? stored : slice(graph, stored, 0, columns, 1)
  const y = cast(graph, gemm(graph, cast(graph, x, 'float16'), weight), 'float32')
  return bias === undefined ? y : graph.op('Add', [y, bias])
}

function gemm(graph: GraphBuilder, x: Value, weight: Value, bias?: Value): Value {
  return graph.op('Gemm', bias === undefined ? [x, weight] : [x, weight, bias], { attributes: { transB: 1 } })
}

function cast(graph: GraphBuilder, x: Value, type: OnnxDataType): Value {
  return graph.op('Cast', [x], { attributes: { to: onnxDataTypes[type] } })
}

/** @see microsoft/onnxruntime `docs/ContribOperators.md`, `com.microsoft.MatMulNBits` */
function multiplyBlocks(graph: GraphBuilder, product: Multiplication<BlockPlace>): Value {
  const { key, place, x, bias, columns, compute } = product
  const { file, rows } = place
  const { bits } = blockFormats[place.dtype]
  const bytes = blockRowBytes(place.dtype, columns, place.blockSize)
  const array = (name: string, type: OnnxDataType, dims: readonly number[], offset: number, length: number) =>
    graph.external(`${key}.${name}`, type, dims, { file, offset, byteLength: rows * length })
  const codes = [rows, bytes.numBlocks, bytes.codes / bytes.numBlocks]
  const inputs = [
    x,
    array('codes', 'uint8', codes, place.offset, bytes.codes),
    array('scales', 'float32', [rows * bytes.numBlocks], place.scalesOffset, bytes.scales),
    place.zeroPointsOffset === undefined
      ? undefined
      : array('zeroPoints', 'uint8', [rows * bytes.zeroPoints], place.zeroPointsOffset, bytes.zeroPoints),
  ]
  const accuracy = compute.blockInput === 'int8' ? { accuracy_level: 4 } : { accuracy_level: 0 }
  const y = graph.op('MatMulNBits', place.zeroPointsOffset === undefined ? inputs.slice(0, 3) : inputs, {
    domain: 'com.microsoft',
    attributes: { K: columns, N: rows, bits, block_size: place.blockSize, ...accuracy },
  })
  return bias === undefined ? y : graph.op('Add', [y, bias])
}

/**
 * A product of bytes: the input is rounded to 8 bits with one scale for all of it, found at run time. The bytes of the
 * weights are unsigned: with signed ones the kernel for AVX2 saturates sums of two products, which more than triples the
 * error (3.1 % of a random product in place of 0.9 %).
 *
 * @see microsoft/onnxruntime `docs/ContribOperators.md`, `com.microsoft.DynamicQuantizeMatMul`
 */
function multiplyRows(graph: GraphBuilder, product: Multiplication<BlockPlace>): Value {
  const { key, place, x, bias, columns } = product
  const { file, rows } = place
  const { defaultZeroPoint } = blockFormats[place.dtype]
  const codes = { file, offset: place.offset, byteLength: rows * columns }
  const weight = graph.external(`${key}.codes`, 'uint8', [rows, columns], codes)
  const scales = { file, offset: place.scalesOffset, byteLength: rows * 4 }
  const inputs = [
    x,
    // folded by the engine at load
    transpose(graph, weight, [1, 0]),
    graph.external(`${key}.scales`, 'float32', [rows], scales),
    graph.byte(defaultZeroPoint),
    bias,
  ]
  return graph.op('DynamicQuantizeMatMul', bias === undefined ? inputs.slice(0, 4) : inputs, {
    domain: 'com.microsoft',
  })
}

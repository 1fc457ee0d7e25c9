import { float16ToFloat32, float32ToFloat16 } from '../../src/core/float16.js'
import type { StoredTensor } from './write-safetensors.js'

/** A matrix in 4 bits: weight = (code - zero point) * scale, each group of a row with its own. */
export interface QuantisedMatrix {
  readonly rows: number
  readonly columns: number
  readonly groupSize: number
  /** [rows][columns], 0 to 15. */
  readonly codes: readonly (readonly number[])[]
  /** [rows][groups], 0 to 15. */
  readonly zeroPoints: readonly (readonly number[])[]
  /** float16 codes [rows][groups]. */
  readonly scales: readonly (readonly number[])[]
}

/** Quantise a matrix; zero points other than 8 only where it `hasZeroPoints`. */
export function quantise(
  values: Float32Array,
  rows: number,
  columns: number,
  groupSize: number,
  hasZeroPoints: boolean,
): QuantisedMatrix {
  const groups = columns / groupSize
  const table = (width: number) => Array.from({ length: rows }, () => new Array<number>(width).fill(0))
  const [codes, zeroPoints, scales] = [table(columns), table(groups), table(groups)]
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group < groups; group++) {
      const start = row * columns + group * groupSize
      const part = values.subarray(start, start + groupSize)
      const size = Math.max(...part.map(Math.abs))
      const scale = float32ToFloat16(Float32Array.of(size / 7), new Uint16Array(1))[0]!
      const zeroPoint = hasZeroPoints ? 1 + ((row * 5 + group * 3) % 15) : 8
      const step = float16ToFloat32(Uint16Array.of(scale))[0]!
      scales[row]![group] = scale
      zeroPoints[row]![group] = zeroPoint
      for (let i = 0; i < groupSize; i++) {
        const code = Math.round(part[i]! / step) + zeroPoint
        codes[row]![group * groupSize + i] = Math.min(15, Math.max(0, code))
      }
    }
  }
  return { rows, columns, groupSize, codes, zeroPoints, scales }
}

/** The weights that it stands for, float32. */
export function dequantise({ rows, columns, groupSize, ...matrix }: QuantisedMatrix): Float32Array {
  const values = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const group = Math.floor(column / groupSize)
      const scale = float16ToFloat32(Uint16Array.of(matrix.scales[row]![group]!))[0]!
      values[row * columns + column] = (matrix.codes[row]![column]! - matrix.zeroPoints[row]![group]!) * scale
    }
  }
  return values
}

/** Eight numbers of 4 bits in one int32, the first in the lowest bits. */
function word(numbers: readonly number[]): number {
  return numbers.reduce((bits, number, index) => bits | (number << (4 * index)), 0) | 0
}

const ints = (name: string, shape: number[], value: (i: number, j: number) => number): StoredTensor => {
  const data = new Int32Array(shape[0]! * shape[1]!)
  for (let i = 0; i < shape[0]!; i++)
    for (let j = 0; j < shape[1]!; j++) data[i * shape[1]! + j] = value(i, j)
  return { name, dtype: 'I32', shape, data }
}

const halves = (name: string, shape: number[], value: (i: number, j: number) => number): StoredTensor => {
  const data = new Uint16Array(shape[0]! * shape[1]!)
  for (let i = 0; i < shape[0]!; i++)
    for (let j = 0; j < shape[1]!; j++) data[i * shape[1]! + j] = value(i, j)
  return { name, dtype: 'F16', shape, data }
}

const eight = [0, 1, 2, 3, 4, 5, 6, 7]
/** The order in which AutoAWQ's GEMM kernel wants eight neighbours. */
const interleaved = [0, 2, 4, 6, 1, 3, 5, 7]

/** AWQ, version GEMM: transposed; eight neighbouring outputs in a word, interleaved; zero points as they are. */
export function packAwq(module: string, matrix: QuantisedMatrix): readonly StoredTensor[] {
  const { rows, columns, groupSize, codes, zeroPoints, scales } = matrix
  const groups = columns / groupSize
  return [
    ints(`${module}.qweight`, [columns, rows / 8], (input, at) =>
      word(interleaved.map(k => codes[at * 8 + k]![input]!)),
    ),
    ints(`${module}.qzeros`, [groups, rows / 8], (group, at) =>
      word(interleaved.map(k => zeroPoints[at * 8 + k]![group]!)),
    ),
    halves(`${module}.scales`, [groups, rows], (group, row) => scales[row]![group]!),
  ]
}

/** GPTQ: transposed; eight neighbouring inputs in a word; zero points less `less` (1 in its first version). */
export function packGptq(module: string, matrix: QuantisedMatrix, less: 0 | 1): readonly StoredTensor[] {
  const { rows, columns, groupSize, codes, zeroPoints, scales } = matrix
  const groups = columns / groupSize
  const index = Int32Array.from({ length: columns }, (_, column) => Math.floor(column / groupSize))
  return [
    ints(`${module}.qweight`, [columns / 8, rows], (at, row) =>
      word(eight.map(k => codes[row]![at * 8 + k]!)),
    ),
    ints(`${module}.qzeros`, [groups, rows / 8], (group, at) =>
      word(eight.map(k => zeroPoints[at * 8 + k]![group]! - less)),
    ),
    halves(`${module}.scales`, [groups, rows], (group, row) => scales[row]![group]!),
    { name: `${module}.g_idx`, dtype: 'I32', shape: [columns], data: index },
  ]
}

/** compressed-tensors, pack-quantized: eight neighbouring inputs in a word; zero points eight neighbouring outputs. */
export function packCompressed(
  module: string,
  matrix: QuantisedMatrix,
  hasZeroPoints: boolean,
): readonly StoredTensor[] {
  const { rows, columns, groupSize, codes, zeroPoints, scales } = matrix
  const groups = columns / groupSize
  const zeros = ints(`${module}.weight_zero_point`, [rows / 8, groups], (at, group) =>
    word(eight.map(k => zeroPoints[at * 8 + k]![group]!)),
  )
  return [
    ints(`${module}.weight_packed`, [rows, columns / 8], (row, at) =>
      word(eight.map(k => codes[row]![at * 8 + k]!)),
    ),
    halves(`${module}.weight_scale`, [rows, groups], (row, group) => scales[row]![group]!),
    ...(hasZeroPoints ? [zeros] : []),
    {
      name: `${module}.weight_shape`,
      dtype: 'I64',
      shape: [2],
      data: BigInt64Array.of(BigInt(rows), BigInt(columns)),
    },
  ]
}

import { bfloat16ToFloat32 } from '../core/bfloat16.js'
import { float16ToFloat32 } from '../core/float16.js'
import { blockRowBytes } from './blocks/block-format.js'
import { damagedFile } from './damaged-file.js'
import type { PackedLayout, PackedMatrix } from './packed-matrix.js'

/** Rows that are transposed together. */
const TILE = 64

/** Words of a cache line. */
const LINE = 16

/** The stored bytes of a packed matrix. */
export interface PackedBytes {
  readonly codes: Uint8Array
  readonly scales: Uint8Array
  readonly zeroPoints: Uint8Array | undefined
}

/** How a layout stores eight 4-bit numbers in an int32. */
interface NibbleOrder {
  /** Has the stored matrix a row for each input? Here it has one for each output. */
  readonly isTransposed: boolean
  /** Nibble → which of the eight. */
  readonly order: readonly number[]
  /** What is added to a stored zero point. */
  readonly zeroOffset: number
  /** Bring the codes into rows of outputs, eight neighbouring inputs in an int32, the first in the lowest bits. */
  orderCodes(words: Int32Array, rows: number, columns: number): Int32Array
}

const STRAIGHT = [0, 1, 2, 3, 4, 5, 6, 7]
const INTERLEAVED = [0, 2, 4, 6, 1, 3, 5, 7]

/**
 * @see casper-hansen/AutoAWQ `awq/modules/linear/gemm.py`; AutoGPTQ/AutoGPTQ `qlinear_cuda_old.py`;
 * neuralmagic/compressed-tensors `compressors/quantized_compressors/pack_quantized.py`
 */
const ORDERS: Readonly<Record<PackedLayout, NibbleOrder>> = {
  awq: { isTransposed: true, order: INTERLEAVED, zeroOffset: 0, orderCodes: turnNibbles },
  gptq: { isTransposed: true, order: STRAIGHT, zeroOffset: 1, orderCodes: turnWords },
  'gptq-v2': { isTransposed: true, order: STRAIGHT, zeroOffset: 0, orderCodes: turnWords },
  'compressed-tensors': { isTransposed: false, order: STRAIGHT, zeroOffset: 0, orderCodes: words => words },
}

/**
 * Bring a packed matrix into the order of `MatMulNBits`: the same integers, zero points and scales.
 *
 * @returns codes [rows, columns / 2], scales float32 [rows, groups], zero points [rows, groups / 2], two to a byte,
 * the low nibble first
 * @throws {NVLMError} MODEL_INVALID if a zero point or a scale is none
 */
export function repackMatrix(matrix: PackedMatrix, stored: PackedBytes): readonly Uint8Array<ArrayBuffer>[] {
  const { layout, rows, columns } = matrix
  const codes = ORDERS[layout].orderCodes(wordsOf(stored.codes), rows, columns)
  return [
    new Uint8Array(codes.buffer as ArrayBuffer, codes.byteOffset, codes.byteLength),
    repackScales(matrix, stored.scales),
    repackZeroPoints(matrix, stored.zeroPoints),
  ]
}

/** Words of eight inputs stored by input: transpose them, in tiles that stay in the cache. */
function turnWords(words: Int32Array, rows: number, columns: number): Int32Array {
  const perRow = columns / 8
  const result = new Int32Array(rows * perRow)
  for (let first = 0; first < rows; first += TILE) {
    const end = Math.min(rows, first + TILE)
    for (let at = 0; at < perRow; at++) {
      for (let row = first; row < end; row++) result[row * perRow + at] = words[at * rows + row]!
    }
  }
  return result
}

/** Words of eight outputs, interleaved, stored by input: turn squares of eight by eight, in tiles of a cache line. */
function turnNibbles(words: Int32Array, rows: number, columns: number): Int32Array {
  const perRow = columns / 8
  const result = new Int32Array(rows * perRow)
  for (let first = 0; first < perRow; first += LINE) {
    const end = Math.min(perRow, first + LINE)
    for (let at = 0; at < rows / 8; at++) {
      for (let to = first; to < end; to++) turnSquare(words, rows / 8, at, result, perRow, to)
    }
  }
  return result
}

/** The codes of eight outputs (word `at` of an input) for eight inputs (word `to` of an output). */
function turnSquare(
  words: Int32Array,
  perInput: number,
  at: number,
  result: Int32Array,
  perRow: number,
  to: number,
): void {
  const from = to * 8 * perInput + at
  const a = words[from]!
  const b = words[from + perInput]!
  const c = words[from + 2 * perInput]!
  const d = words[from + 3 * perInput]!
  const e = words[from + 4 * perInput]!
  const f = words[from + 5 * perInput]!
  const g = words[from + 6 * perInput]!
  const h = words[from + 7 * perInput]!
  for (let nibble = 0; nibble < 8; nibble++) {
    const shift = 4 * nibble
    const low = ((a >>> shift) & 15) | (((b >>> shift) & 15) << 4) | (((c >>> shift) & 15) << 8)
    const middle = (((d >>> shift) & 15) << 12) | (((e >>> shift) & 15) << 16)
    const high = (((f >>> shift) & 15) << 20) | (((g >>> shift) & 15) << 24) | ((h >>> shift) << 28)
    result[(at * 8 + INTERLEAVED[nibble]!) * perRow + to] = low | middle | high
  }
}

function repackScales(matrix: PackedMatrix, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { layout, rows, columns, groupSize, scales } = matrix
  const groups = columns / groupSize
  const values = floatsOf(bytes, scales.dtype)
  const result = new Float32Array(rows * groups)
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group < groups; group++) {
      const value = values[ORDERS[layout].isTransposed ? group * rows + row : row * groups + group]!
      if (!Number.isFinite(value)) damagedFile(`tensor "${scales.name}" holds ${value}`)
      result[row * groups + group] = value
    }
  }
  return new Uint8Array(result.buffer)
}

/** Zero points lie along the rows in all layouts, eight to an int32. */
function repackZeroPoints(matrix: PackedMatrix, bytes: Uint8Array | undefined): Uint8Array<ArrayBuffer> {
  const { layout, rows, columns, groupSize } = matrix
  const { isTransposed, order, zeroOffset } = ORDERS[layout]
  const groups = columns / groupSize
  const rowBytes = blockRowBytes('q4', columns, groupSize).zeroPoints
  const result = new Uint8Array(rows * rowBytes)
  const words = bytes && wordsOf(bytes)
  for (let row = 0; row < rows; row++) {
    const shift = 4 * order.indexOf(row & 7)
    for (let group = 0; group < groups; group++) {
      const at = isTransposed ? group * (rows / 8) + (row >> 3) : (row >> 3) * groups + group
      const zeroPoint = words === undefined ? 8 : ((words[at]! >>> shift) & 15) + zeroOffset
      if (zeroPoint > 15) {
        damagedFile(
          `tensor "${matrix.zeroPoints!.name}" has a zero point of ${zeroPoint}, which 4 bits do not hold`,
        )
      }
      result[row * rowBytes + (group >> 1)]! |= zeroPoint << (group & 1 ? 4 : 0)
    }
  }
  return result
}

function wordsOf(bytes: Uint8Array): Int32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  return new Int32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4)
}

function floatsOf(bytes: Uint8Array, dtype: string): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  const { buffer, byteOffset, byteLength } = aligned
  if (dtype === 'F32') return new Float32Array(buffer, byteOffset, byteLength / 4)
  const codes = new Uint16Array(buffer, byteOffset, byteLength / 2)
  return dtype === 'BF16' ? bfloat16ToFloat32(codes) : float16ToFloat32(codes)
}

import { bfloat16ToFloat32, float32ToBfloat16 } from '../core/bfloat16.js'
import { NVLMError } from '../core/errors.js'
import { float16ToFloat32, float32ToFloat16 } from '../core/float16.js'
import type { BlockDType } from '../formats/blocks/block-format.js'
import { quantizeRows, type RoundingName, roundings } from '../formats/blocks/quantize-rows.js'
import type { FloatPlace, WeightPlace } from '../graph/weight-source.js'

/** Some whole rows of a stored matrix, and what they are to become. */
export interface SlabTask {
  /** For messages. */
  readonly name: string
  /** Little-endian floats [rows, storedColumns], aligned to their size. */
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly from: FloatPlace['dtype']
  readonly to: WeightPlace['dtype']
  readonly rows: number
  readonly storedColumns: number
  /** Columns to keep, from the first. */
  readonly columns: number
  readonly rounding: RoundingName
}

/** The converted rows, array by array: floats, or codes, scales and zero points. */
export type ConvertedSlab = readonly Uint8Array<ArrayBuffer>[]

/** Converts slabs, here or on other threads. */
export interface SlabConverter {
  /** Slabs that it is worth giving it at a time. */
  readonly concurrency: number
  /** `task.bytes` belongs to the converter from now on. */
  convert(task: SlabTask): Promise<ConvertedSlab>
  close(): Promise<void>
}

/** Converts in the calling thread. */
export const directConverter: SlabConverter = {
  concurrency: 1,
  convert: async task => convertSlab(task),
  close: async () => {},
}

const LARGEST_HALF = 65504

/**
 * Convert some rows. The result depends on nothing but the task.
 *
 * @throws {NVLMError} NUMERIC if a weight is not finite, or does not fit the format
 */
export function convertSlab(task: SlabTask): ConvertedSlab {
  const { to, rows, columns } = task
  const values = keepColumns(toFloat32(task), task)
  checkFinite(values, task)
  if (to === 'q4' || to === 'q8') return toBlocks(to, values, task)
  if (to === 'F32') return [bytesOf(values)]
  const codes = new Uint16Array(rows * columns)
  return [bytesOf(to === 'BF16' ? float32ToBfloat16(values, codes) : float32ToFloat16(values, codes))]
}

function toBlocks(dtype: BlockDType, values: Float32Array, task: SlabTask): ConvertedSlab {
  const stored = quantizeRows(dtype, values, task.rows, task.columns, roundings[task.rounding])
  const arrays = [stored.codes, stored.scales, stored.zeroPoints].map(bytesOf)
  return arrays.filter(({ byteLength }) => byteLength > 0)
}

function toFloat32({ bytes, from }: SlabTask): Float32Array {
  const { buffer, byteOffset, byteLength } = bytes
  if (from === 'F32') return new Float32Array(buffer, byteOffset, byteLength / 4)
  const codes = new Uint16Array(buffer, byteOffset, byteLength / 2)
  return from === 'BF16' ? bfloat16ToFloat32(codes) : float16ToFloat32(codes)
}

function keepColumns(values: Float32Array, { rows, storedColumns, columns }: SlabTask): Float32Array {
  if (columns === storedColumns) return values
  const kept = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    kept.set(values.subarray(row * storedColumns, row * storedColumns + columns), row * columns)
  }
  return kept
}

function checkFinite(values: Float32Array, { name, to }: SlabTask): void {
  const largest = to === 'F16' ? LARGEST_HALF : Number.MAX_VALUE
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value <= largest && value >= -largest) continue
    const isNumber = Number.isFinite(value)
    throw new NVLMError(
      'NUMERIC',
      `tensor "${name}" holds ${value}, ${isNumber ? `float16 ends at ${LARGEST_HALF}` : 'which is not finite'}`,
      {
        hint: isNumber
          ? 'Choose bf16, q8 or q4 for this stage.'
          : 'The weights are damaged: download them again.',
      },
    )
  }
}

function bytesOf(array: Uint8Array | Uint16Array | Float32Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength)
}

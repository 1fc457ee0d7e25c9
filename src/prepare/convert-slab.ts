import { bfloat16ToFloat32 } from '../core/bfloat16.js'
import { invariant, NVLMError } from '../core/errors.js'
import { float16ToFloat32 } from '../core/float16.js'
import { type RoundingName, roundings } from '../formats/blocks/rounding.js'
import { RowConverter } from '../formats/blocks/row-converter.js'
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
export function directConverter(): SlabConverter {
  const converter = RowConverter.create()
  return {
    concurrency: 1,
    convert: async task => convertSlab(await converter, task),
    close: async () => {},
  }
}

const LARGEST_HALF = 65504

/**
 * Convert some rows. The result depends on nothing but the task.
 *
 * @throws {NVLMError} NUMERIC if a weight is not finite, or does not fit the format
 */
export function convertSlab(converter: RowConverter, task: SlabTask): ConvertedSlab {
  const arrays = converter.convert({ ...task, rounding: roundings[task.rounding] })
  if (arrays !== undefined) return arrays
  throw describeRefusal(task)
}

/** Names the weight that a converter did not take. */
function describeRefusal({ name, bytes, from, to, rows, storedColumns, columns }: SlabTask): NVLMError {
  const values = toFloat32(bytes, from)
  const largest = to === 'F16' ? LARGEST_HALF : Number.MAX_VALUE
  const refused = values.find((value, index) => {
    return index % storedColumns < columns && !(Math.abs(value) <= largest)
  })
  invariant(refused !== undefined, `one of the ${rows} rows of ${name} has a weight that does not fit`)
  const isNumber = Number.isFinite(refused)
  return new NVLMError(
    'NUMERIC',
    `tensor "${name}" holds ${refused}, ${isNumber ? `float16 ends at ${LARGEST_HALF}` : 'which is not finite'}`,
    {
      hint: isNumber
        ? 'Choose bf16, q8 or q4 for this stage.'
        : 'The weights are damaged: download them again.',
    },
  )
}

function toFloat32(bytes: Uint8Array<ArrayBuffer>, from: FloatPlace['dtype']): Float32Array {
  const { buffer, byteOffset, byteLength } = bytes
  if (from === 'F32') return new Float32Array(buffer, byteOffset, byteLength / 4)
  const codes = new Uint16Array(buffer, byteOffset, byteLength / 2)
  return from === 'BF16' ? bfloat16ToFloat32(codes) : float16ToFloat32(codes)
}

import { bytesPerElement, type DType, isDType } from '../core/dtypes.js'
import { NVLMError } from '../core/errors.js'
import { damagedFile } from './damaged-file.js'
import { baseName, quoted } from './file-name.js'
import type { TensorInfo } from './safetensors.js'

/** Element types of the format that this library does not read. */
const UNREAD = new Set([
  ...['U16', 'U32', 'U64', 'C64', 'F4', 'F6_E2M3', 'F6_E3M2', 'F8_E4M3', 'F8_E5M2', 'F8_E8M0'],
  ...['F8_E4M3FNUZ', 'F8_E5M2FNUZ'],
])
const MAX_DIMENSIONS = 16

/**
 * Check the header entry of one tensor by itself.
 *
 * @param value - the entry as parsed from JSON
 * @param dataOffset - where the data of the file start
 * @throws {NVLMError} MODEL_INVALID, or MODEL_UNSUPPORTED for a known element type that is not read
 */
export function parseTensorEntry(name: string, value: unknown, file: string, dataOffset: number): TensorInfo {
  const what = `${baseName(file)}: tensor ${quoted(name)}`
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    damagedFile(`${what} is not an object`)
  const entry = value as Readonly<Record<string, unknown>>
  for (const key in entry) {
    if (key !== 'dtype' && key !== 'shape' && key !== 'data_offsets')
      damagedFile(`${what} has unknown field ${quoted(key)}`)
  }
  const dtype = parseDType(entry.dtype, what)
  const shape = parseSizes(entry.shape, `${what}: shape`)
  if (shape.length > MAX_DIMENSIONS)
    damagedFile(`${what} has ${shape.length} dimensions, at most ${MAX_DIMENSIONS} are read`)
  const [start, end, ...rest] = parseSizes(entry.data_offsets, `${what}: data_offsets`)
  if (start === undefined || end === undefined || rest.length > 0)
    damagedFile(`${what}: data_offsets is not a pair`)
  if (end < start) damagedFile(`${what} ends at ${end}, before its start ${start}`)
  const expected = checkedByteLength(shape, dtype, what)
  if (end - start !== expected) {
    damagedFile(`${what} has ${end - start} bytes, ${dtype} [${shape.join(', ')}] needs ${expected}`)
  }
  return { name, dtype, shape, file, offset: dataOffset + start, byteLength: expected }
}

function parseDType(value: unknown, what: string): DType {
  if (isDType(value)) return value
  if (typeof value === 'string' && UNREAD.has(value)) {
    throw new NVLMError('MODEL_UNSUPPORTED', `${what} has element type ${value}, which is not read`, {
      hint: 'Use the checkpoint in BF16, F16 or F32.',
    })
  }
  return damagedFile(`${what} has unknown element type ${describeValue(value)}`)
}

function parseSizes(value: unknown, what: string): readonly number[] {
  if (!Array.isArray(value)) damagedFile(`${what} is not a list`)
  for (const size of value as readonly unknown[]) {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0 || Object.is(size, -0)) {
      damagedFile(`${what} has ${describeValue(size)}, expected a whole number from 0`)
    }
  }
  return value as readonly number[]
}

function describeValue(value: unknown): string {
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  return value === null ? 'null' : typeof value
}

/** Multiply without leaving the exact integers, as `checked_mul` of the reference. */
function checkedByteLength(shape: readonly number[], dtype: DType, what: string): number {
  let size = bytesPerElement[dtype]
  for (const dimension of shape) {
    size *= dimension
    if (size > Number.MAX_SAFE_INTEGER) damagedFile(`${what}: shape [${shape.join(', ')}] overflows`)
  }
  return size
}

import type { DType } from '../core/dtypes.js'
import { invariant, NVLMError } from '../core/errors.js'
import type { RandomAccessFile } from '../platform/platform.js'
import { damagedFile } from './damaged-file.js'
import { baseName, quoted } from './file-name.js'
import { parseJson } from './json.js'
import type { PackedMatrix } from './packed-matrix.js'
import { parseTensorEntry } from './safetensors-entry.js'

/** Where one tensor lies in a safetensors file. Data are little-endian, row-major, not necessarily aligned. */
export interface TensorInfo {
  readonly name: string
  readonly dtype: DType
  /** Empty for a scalar. */
  readonly shape: readonly number[]
  /** Path of the file. */
  readonly file: string
  /** First byte, counted from the start of the file. */
  readonly offset: number
  readonly byteLength: number
  /** The parts of a matrix that was quantised before it was published; `shape` is then that of the weights. */
  readonly packed?: PackedMatrix | undefined
}

/** Everything a safetensors file says before its data. */
export interface SafetensorsHeader {
  /** By name, in the order of their data. */
  readonly tensors: ReadonlyMap<string, TensorInfo>
  readonly metadata: ReadonlyMap<string, string>
  /** First byte of the data, counted from the start of the file. */
  readonly dataOffset: number
}

/** Bounds of `parseSafetensorsHeader`. */
export interface SafetensorsOptions {
  /** Longest accepted header in bytes; default 25 MB, the format itself allows 100 MB. */
  readonly maxHeaderBytes?: number
}

const DEFAULT_MAX_HEADER_BYTES = 25_000_000

/** How the text file starts that git leaves in place of a large file; its first eight bytes, as a length. */
const GIT_LFS_POINTER = new DataView(new TextEncoder().encode('version ').buffer).getBigUint64(0, true)

/**
 * Read and check the header of a safetensors file; tensor data are not read.
 *
 * Checked: length, strict JSON without duplicate keys, padding of spaces only, known dtypes, size = shape × dtype,
 * and that the tensors cover the data exactly, without hole, overlap or rest.
 *
 * @throws {NVLMError} MODEL_INVALID for a damaged file, MODEL_UNSUPPORTED for an element type that is not read
 * @see huggingface/safetensors `safetensors/src/tensor.rs`, `SafeTensors::read_metadata`
 */
export async function parseSafetensorsHeader(
  file: RandomAccessFile,
  options: SafetensorsOptions = {},
): Promise<SafetensorsHeader> {
  const name = baseName(file.path)
  const maxBytes = options.maxHeaderBytes ?? DEFAULT_MAX_HEADER_BYTES
  const length = await readHeaderLength(file, name, maxBytes)
  const json = withoutPadding(await file.read(8, length), name)
  const root = parseJson(json, { path: file.path, maxBytes, maxDepth: 8, fractions: 'refuse' })
  invariant(typeof root === 'object' && root !== null, 'JSON in braces is an object')
  const dataOffset = 8 + length
  const tensors: TensorInfo[] = []
  let metadata: ReadonlyMap<string, string> = new Map()
  for (const [key, value] of Object.entries(root)) {
    if (key === '__metadata__') metadata = parseMetadata(value, name)
    else tensors.push(parseTensorEntry(key, value, file.path, dataOffset))
  }
  return { tensors: inDataOrder(tensors, dataOffset, file), metadata, dataOffset }
}

async function readHeaderLength(file: RandomAccessFile, name: string, maxBytes: number): Promise<number> {
  if (file.size < 8) damagedFile(`${name}: has ${file.size} bytes, a header needs 8`)
  const prefix = await file.read(0, 8)
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true)
  if (length === GIT_LFS_POINTER) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${name}: is a Git LFS pointer of ${file.size} bytes, not the file itself`,
      {
        hint: 'Run `git lfs pull` in the checkpoint folder, or download the file from the model page.',
      },
    )
  }
  if (length > BigInt(maxBytes)) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${name}: header of ${length} bytes, at most ${maxBytes} are accepted`,
      {
        hint: 'This is not a safetensors file, or it is damaged: download it again.',
      },
    )
  }
  if (Number(length) > file.size - 8)
    damagedFile(`${name}: header ends at byte ${8n + length}, file has ${file.size}`)
  if (length < 2n) damagedFile(`${name}: header of ${length} bytes, expected at least 2`)
  return Number(length)
}

/** The JSON text alone: from `{` to `}`, behind it only 0x20. */
function withoutPadding(header: Uint8Array, name: string): Uint8Array {
  if (header[0] !== 0x7b) damagedFile(`${name}: header starts with byte ${header[0]}, expected "{"`)
  let end = header.length
  while (header[end - 1] === 0x20) end--
  if (header[end - 1] !== 0x7d)
    damagedFile(`${name}: header ends with byte ${header[end - 1]}, expected "}" and spaces`)
  return header.subarray(0, end)
}

function parseMetadata(value: unknown, file: string): ReadonlyMap<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    damagedFile(`${file}: __metadata__ is not an object`)
  }
  const metadata = new Map<string, string>()
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string')
      damagedFile(`${file}: __metadata__ ${quoted(key)} is ${typeof text}, expected a string`)
    metadata.set(key, text)
  }
  return metadata
}

/** Sort by place, and require that each tensor starts where the one before ends, the last at the file's end. */
function inDataOrder(
  tensors: TensorInfo[],
  dataOffset: number,
  file: RandomAccessFile,
): ReadonlyMap<string, TensorInfo> {
  const name = baseName(file.path)
  tensors.sort((a, b) => a.offset - b.offset || a.byteLength - b.byteLength)
  let end = dataOffset
  const byName = new Map<string, TensorInfo>()
  for (const tensor of tensors) {
    if (tensor.offset !== end) {
      const problem = tensor.offset < end ? 'overlaps the tensor before it' : 'leaves a hole before it'
      const what = `${name}: tensor ${quoted(tensor.name)} ${problem}`
      damagedFile(`${what}: starts at byte ${tensor.offset}, expected ${end}`)
    }
    byName.set(tensor.name, tensor)
    end += tensor.byteLength
    if (!Number.isSafeInteger(end))
      damagedFile(`${name}: tensor ${quoted(tensor.name)} ends beyond byte 2^53 - 1`)
  }
  if (end > file.size) damagedFile(`${name}: was cut: tensors end at byte ${end}, file has ${file.size}`)
  if (end < file.size) damagedFile(`${name}: has ${file.size} bytes, tensors end at byte ${end}`)
  return byName
}

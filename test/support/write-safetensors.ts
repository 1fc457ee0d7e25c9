import { type FileHandle, open } from 'node:fs/promises'
import { bytesPerElement, type DType } from '../../src/core/dtypes.js'
import { numElements } from '../../src/core/tensor.js'

/** One tensor to store; its data follow the ones of the tensor before. */
export interface StoredTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /**
   * Little-endian elements, e.g. a Float32Array for F32, a Uint16Array of codes for BF16 and F16. Absent: zeros that
   * take no room on the disk (a hole in a sparse file), so that files of true size cost nothing.
   */
  readonly data?: ArrayBufferView
}

/** Choices of the writer. */
export interface WriteSafetensorsOptions {
  /** Default `{ format: 'pt' }`, as PyTorch writes it; `undefined` leaves it out. */
  readonly metadata?: Readonly<Record<string, string>> | undefined
  /** The header is padded with spaces to a multiple of this; default 8, as the reference does. */
  readonly headerAlignment?: number
}

/** The first bytes of a safetensors file, up to its data: length, JSON, padding. */
export function safetensorsHeader(
  tensors: readonly StoredTensor[],
  options: WriteSafetensorsOptions = {},
): Uint8Array {
  const metadata = 'metadata' in options ? options.metadata : { format: 'pt' }
  const entries: [string, unknown][] = metadata === undefined ? [] : [['__metadata__', metadata]]
  let end = 0
  for (const tensor of tensors) {
    const start = end
    end += byteLengthOf(tensor)
    entries.push([tensor.name, { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [start, end] }])
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)))
  const alignment = options.headerAlignment ?? 8
  const header = new Uint8Array(8 + Math.ceil(json.length / alignment) * alignment).fill(0x20)
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true)
  header.set(json, 8)
  return header
}

/**
 * Write a safetensors file, the tensors in the order given.
 *
 * @returns size of the file in bytes
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly StoredTensor[],
  options: WriteSafetensorsOptions = {},
): Promise<number> {
  const header = safetensorsHeader(tensors, options)
  const size = tensors.reduce((sum, tensor) => sum + byteLengthOf(tensor), header.length)
  const file = await open(path, 'w')
  try {
    await file.truncate(size)
    await writeAt(file, header, 0)
    let offset = header.length
    for (const tensor of tensors) {
      const { data } = tensor
      if (data) await writeAt(file, new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset)
      offset += byteLengthOf(tensor)
    }
  } finally {
    await file.close()
  }
  return size
}

function byteLengthOf({ name, dtype, shape, data }: StoredTensor): number {
  const byteLength = numElements(shape) * bytesPerElement[dtype]
  if (data && data.byteLength !== byteLength) {
    throw new Error(
      `${name}: ${data.byteLength} bytes given, ${dtype} [${shape.join(', ')}] has ${byteLength}`,
    )
  }
  return byteLength
}

async function writeAt(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done)
    done += bytesWritten
  }
}

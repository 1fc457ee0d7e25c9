import { bytesOf, DataFile } from './data-file.js'

/** Tensor types, with the numbers of `ggml_type`. */
const tensorTypes = { F32: 0, Q4_0: 2, Q8_0: 8 } as const

/** A tensor to write; sizes are counted from the innermost on, which is the reverse of a checkpoint's shape. */
export interface GgufTensor {
  readonly name: string
  readonly type: keyof typeof tensorTypes
  readonly sizes: readonly number[]
  readonly byteLength: number
  pieces(): Iterable<Uint8Array | Float32Array>
}

/** A value of the metadata with its type. */
export type GgufValue =
  | { readonly uint32: number }
  | { readonly float32: number }
  | { readonly bool: boolean }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly int32s: readonly number[] }

/** Numbers of `gguf_type`. */
const valueTypes = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const

const VERSION = 3

/** Where tensors begin, relative to the start of the data; the format's default. */
const ALIGNMENT = 32

/**
 * Write a GGUF file.
 *
 * @see ggml-org/ggml `docs/gguf.md`
 */
export async function writeGguf(
  path: string,
  metadata: Readonly<Record<string, GgufValue>>,
  tensors: readonly GgufTensor[],
): Promise<void> {
  const file = await DataFile.create(path)
  try {
    await file.write(header(metadata, tensors))
    for (const tensor of tensors) {
      await file.align(ALIGNMENT)
      const start = file.length
      for (const piece of tensor.pieces()) await file.write(bytesOf(piece))
      if (file.length - start !== tensor.byteLength) {
        throw new Error(`${tensor.name}: ${file.length - start} bytes, expected ${tensor.byteLength}`)
      }
    }
    await file.align(ALIGNMENT)
  } finally {
    await file.close()
  }
}

function header(metadata: Readonly<Record<string, GgufValue>>, tensors: readonly GgufTensor[]): Uint8Array {
  const parts: Uint8Array[] = [new TextEncoder().encode('GGUF'), uint32(VERSION)]
  const entries = Object.entries(metadata)
  parts.push(uint64(tensors.length), uint64(entries.length))
  for (const [key, value] of entries) parts.push(text(key), encodeValue(value))
  let offset = 0
  for (const { name, type, sizes, byteLength } of tensors) {
    parts.push(
      text(name),
      uint32(sizes.length),
      ...sizes.map(uint64),
      uint32(tensorTypes[type]),
      uint64(offset),
    )
    offset += Math.ceil(byteLength / ALIGNMENT) * ALIGNMENT
  }
  return Buffer.concat(parts)
}

function encodeValue(value: GgufValue): Uint8Array {
  if ('uint32' in value) return join(uint32(valueTypes.uint32), uint32(value.uint32))
  if ('float32' in value) return join(uint32(valueTypes.float32), bytesOf(new Float32Array([value.float32])))
  if ('bool' in value) return join(uint32(valueTypes.bool), new Uint8Array([value.bool ? 1 : 0]))
  if ('string' in value) return join(uint32(valueTypes.string), text(value.string))
  if ('strings' in value) {
    const { strings } = value
    return join(arrayHeader(valueTypes.string, strings.length), Buffer.concat(strings.map(text)))
  }
  return join(arrayHeader(valueTypes.int32, value.int32s.length), bytesOf(new Int32Array(value.int32s)))
}

function arrayHeader(type: number, length: number): Uint8Array {
  return Buffer.concat([uint32(valueTypes.array), uint32(type), uint64(length)])
}

function join(type: Uint8Array, value: Uint8Array): Uint8Array {
  return Buffer.concat([type, value])
}

function uint32(value: number): Uint8Array {
  return bytesOf(new Uint32Array([value]))
}

function uint64(value: number): Uint8Array {
  return bytesOf(new BigUint64Array([BigInt(value)]))
}

function text(value: string): Uint8Array {
  const bytes = new TextEncoder().encode(value)
  return Buffer.concat([uint64(bytes.length), bytes])
}

import type { BackendTensor, SessionTensor } from '../../../src/backend/backend.js'
import type { WireTensor } from '../page-calls.js'

const ARRAYS = {
  float32: Float32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  int32: Int32Array,
} as const

export function decodeBase64(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0))
}

export function encodeBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += 0x8000) {
    binary += String.fromCharCode(...bytes.subarray(at, at + 0x8000))
  }
  return btoa(binary)
}

export function decodeTensor({ type, dims, base64 }: WireTensor): BackendTensor {
  return { type, dims, data: new ARRAYS[type](decodeBase64(base64).buffer) }
}

export function encodeTensor({ type, dims, data }: SessionTensor): WireTensor {
  const { buffer, byteOffset, byteLength } = data as BackendTensor['data']
  return { type, dims, base64: encodeBase64(new Uint8Array(buffer, byteOffset, byteLength)) }
}

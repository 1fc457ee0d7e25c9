/**
 * Bytes of a safetensors file with any header text, well-formed or not, and data of zeros.
 *
 * @param length - header length to claim; default the true one
 */
export function rawSafetensors(header: string | Uint8Array, dataBytes = 0, length?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header
  const bytes = new Uint8Array(8 + json.length + dataBytes)
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true)
  bytes.set(json, 8)
  return bytes
}

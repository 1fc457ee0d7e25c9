import { damagedFile } from './damaged-file.js'

/** One field of a protobuf message: varints and fixed numbers as numbers, everything else as its bytes. */
export interface ProtobufField {
  readonly number: number
  readonly value: number | Uint8Array
}

/**
 * Read the fields of a protobuf message, in file order.
 *
 * Numbers: varints as far as a JavaScript number is exact (larger ones are refused), 32-bit fixed as float32, 64-bit
 * fixed as their bytes.
 *
 * @param name - file, for messages
 * @throws {NVLMError} MODEL_INVALID naming the byte
 */
export function* readProtobuf(bytes: Uint8Array, name: string): Iterable<ProtobufField> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]
      if (byte === undefined) return damagedFile(`${name}: ends inside a number at byte ${at - 1}`)
      value += (byte & 127) * scale
      if (byte < 128) return value
      if (scale > 2 ** 42) return damagedFile(`${name}: the number at byte ${at} is too large`)
    }
  }
  const take = (length: number): Uint8Array => {
    if (length > bytes.length - at)
      return damagedFile(`${name}: a field of ${length} bytes at byte ${at} of ${bytes.length}`)
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = varint()
    const number = Math.floor(tag / 8)
    const wire = tag % 8
    if (wire === 0) yield { number, value: varint() }
    else if (wire === 1) yield { number, value: take(8) }
    else if (wire === 2) yield { number, value: take(varint()) }
    else if (wire === 5) {
      take(4)
      yield { number, value: view.getFloat32(at - 4, true) }
    } else return damagedFile(`${name}: field ${number} at byte ${at} has the unknown kind ${wire}`)
  }
}

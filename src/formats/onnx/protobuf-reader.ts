import { NVLMError } from '../../core/errors.js'

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5

/** One field of a protobuf message. */
export interface ProtobufField {
  readonly number: number
  /** Content of a length-delimited field, else undefined. */
  readonly bytes: Uint8Array | undefined
  /** Value of a varint, else undefined; exact up to 2^53. */
  readonly value: number | undefined
  /** The field as it stands in the message, its tag included. */
  readonly raw: Uint8Array
}

/**
 * The fields of a protobuf message in their order, as views of it.
 *
 * @throws {NVLMError} MODEL_INVALID if the bytes are no protobuf message
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function* protobufFields(message: Uint8Array): Iterable<ProtobufField> {
  let at = 0
  const readVarint = (): number => {
    let value = 0
    for (let shift = 1; ; shift *= 128) {
      const byte = message[at++]
      if (byte === undefined || shift > 2 ** 63) throw damaged()
      value += (byte & 127) * shift
      if (byte < 128) return value
    }
  }
  const take = (length: number): Uint8Array => {
    if (length > message.length - at) throw damaged()
    at += length
    return message.subarray(at - length, at)
  }
  while (at < message.length) {
    const start = at
    const tag = readVarint()
    const number = Math.floor(tag / 8)
    const wireType = tag % 8
    const value = wireType === VARINT ? readVarint() : undefined
    const bytes = wireType === BYTES ? take(readVarint()) : undefined
    if (wireType === FIXED64) take(8)
    else if (wireType === FIXED32) take(4)
    else if (value === undefined && bytes === undefined) throw damaged()
    yield { number, bytes, value, raw: message.subarray(start, at) }
  }
}

/** Contents of the length-delimited fields of one number. */
export function* protobufMessages(message: Uint8Array, number: number): Iterable<Uint8Array> {
  for (const field of protobufFields(message)) if (field.number === number && field.bytes) yield field.bytes
}

/** The text of a length-delimited field. */
export function protobufText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

function damaged(): NVLMError {
  return new NVLMError('MODEL_INVALID', 'a graph is no ONNX model: its protobuf message is damaged', {
    hint: 'Prepare the checkpoint again.',
  })
}

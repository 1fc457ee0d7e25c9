import { NVLMError } from '../../core/errors.js'

/** Fields on the way to the name of an external file, and the one of its key. @see onnx.proto, ONNX 1.19 */
const MODEL_GRAPH = 7
const GRAPH_INITIALIZER = 5
const TENSOR_EXTERNAL_DATA = 13
const ENTRY_KEY = 1
const ENTRY_VALUE = 2

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5

interface Field {
  readonly number: number
  /** Content of a length-delimited field, else undefined. */
  readonly bytes: Uint8Array | undefined
}

/**
 * Names of the files that an ONNX model reads weights from, as it spells them, each once.
 *
 * @throws {NVLMError} MODEL_INVALID if the bytes are no protobuf message
 */
export function externalFiles(model: Uint8Array): ReadonlySet<string> {
  const names = new Set<string>()
  for (const graph of inner(model, MODEL_GRAPH)) {
    for (const tensor of inner(graph, GRAPH_INITIALIZER)) {
      for (const entry of inner(tensor, TENSOR_EXTERNAL_DATA)) {
        const [key] = inner(entry, ENTRY_KEY)
        const [value] = inner(entry, ENTRY_VALUE)
        if (key && value && textOf(key) === 'location') names.add(textOf(value))
      }
    }
  }
  return names
}

/** Contents of the length-delimited fields of one number. */
function* inner(message: Uint8Array, number: number): Iterable<Uint8Array> {
  for (const field of fieldsOf(message)) if (field.number === number && field.bytes) yield field.bytes
}

function* fieldsOf(message: Uint8Array): Iterable<Field> {
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
  const skip = (length: number): number => {
    const start = at
    if (length > message.length - at) throw damaged()
    at += length
    return start
  }
  while (at < message.length) {
    const tag = readVarint()
    const number = Math.floor(tag / 8)
    const wireType = tag % 8
    if (wireType === BYTES) {
      const length = readVarint()
      const start = skip(length)
      yield { number, bytes: message.subarray(start, start + length) }
      continue
    }
    if (wireType === VARINT) readVarint()
    else if (wireType === FIXED64) skip(8)
    else if (wireType === FIXED32) skip(4)
    else throw damaged()
    yield { number, bytes: undefined }
  }
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

function damaged(): NVLMError {
  return new NVLMError('MODEL_INVALID', 'a graph is no ONNX model: its protobuf message is damaged', {
    hint: 'Prepare the checkpoint again.',
  })
}

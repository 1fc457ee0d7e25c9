import { NVLMError } from '../../core/errors.js'
import { protobufFields, protobufMessages, protobufText } from './protobuf-reader.js'

const TENSOR_EXTERNAL_DATA = 13
const ENTRY_KEY = 1
const ENTRY_VALUE = 2

/** A kind of message, and the messages below it that may hold tensors: number of the field → kind. */
interface MessageKind {
  readonly fields: Readonly<Record<number, keyof typeof KINDS>>
}

/** @see onnx.proto, ONNX 1.19 */
const KINDS = {
  model: { fields: { 7: 'graph', 20: 'training', 25: 'function' } },
  training: { fields: { 1: 'graph', 2: 'graph' } },
  function: { fields: { 7: 'node', 11: 'attribute' } },
  graph: { fields: { 1: 'node', 5: 'tensor', 15: 'sparse' } },
  sparse: { fields: { 1: 'tensor', 2: 'tensor' } },
  node: { fields: { 5: 'attribute' } },
  attribute: { fields: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse', 23: 'sparse' } },
  tensor: { fields: {} },
} as const satisfies Readonly<Record<string, { readonly fields: Readonly<Record<number, string>> }>>

/** Messages inside each other; a graph in a graph takes three. */
const MAX_DEPTH = 64

/**
 * Names of the files that an ONNX model reads weights from, as it spells them, each once; wherever in the model they stand.
 *
 * @throws {NVLMError} MODEL_INVALID if the bytes are no protobuf message
 */
export function externalFiles(model: Uint8Array): ReadonlySet<string> {
  const names = new Set<string>()
  const walk = (message: Uint8Array, kind: keyof typeof KINDS, depth: number): void => {
    if (depth > MAX_DEPTH) throw new NVLMError('MODEL_INVALID', 'a graph is nested too deep')
    if (kind === 'tensor') {
      const location = externalData(message).get('location')
      if (location !== undefined) names.add(location)
      return
    }
    const { fields }: MessageKind = KINDS[kind]
    for (const { number, bytes } of protobufFields(message)) {
      const inner = fields[number]
      if (inner !== undefined && bytes) walk(bytes, inner, depth + 1)
    }
  }
  walk(model, 'model', 0)
  return names
}

/** Where the data of a `TensorProto` lies: `location`, `offset` and `length`; empty if it lies in the model. */
export function externalData(tensor: Uint8Array): ReadonlyMap<string, string> {
  const entries = new Map<string, string>()
  for (const entry of protobufMessages(tensor, TENSOR_EXTERNAL_DATA)) {
    const [key] = protobufMessages(entry, ENTRY_KEY)
    const [value] = protobufMessages(entry, ENTRY_VALUE)
    if (key && value) entries.set(protobufText(key), protobufText(value))
  }
  return entries
}

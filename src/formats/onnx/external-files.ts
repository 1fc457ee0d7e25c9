import { protobufMessages, protobufText } from './protobuf-reader.js'

/** Fields on the way to the name of an external file, and the one of its key. @see onnx.proto, ONNX 1.19 */
const MODEL_GRAPH = 7
const GRAPH_INITIALIZER = 5
const TENSOR_EXTERNAL_DATA = 13
const ENTRY_KEY = 1
const ENTRY_VALUE = 2

/**
 * Names of the files that an ONNX model reads weights from, as it spells them, each once.
 *
 * @throws {NVLMError} MODEL_INVALID if the bytes are no protobuf message
 */
export function externalFiles(model: Uint8Array): ReadonlySet<string> {
  const names = new Set<string>()
  for (const graph of protobufMessages(model, MODEL_GRAPH)) {
    for (const tensor of protobufMessages(graph, GRAPH_INITIALIZER)) {
      const location = externalData(tensor).get('location')
      if (location !== undefined) names.add(location)
    }
  }
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

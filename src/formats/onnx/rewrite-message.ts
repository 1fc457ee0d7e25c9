import { type ProtobufField, protobufFields } from './protobuf-reader.js'
import { ProtobufWriter } from './protobuf-writer.js'

/**
 * A protobuf message with some of its length-delimited fields replaced.
 *
 * @param replace - new content of a field; undefined leaves it as it is
 * @throws {NVLMError} MODEL_INVALID if the bytes are no protobuf message
 */
export function rewriteMessage(
  message: Uint8Array,
  replace: (field: ProtobufField) => Uint8Array | undefined,
): Uint8Array {
  const writer = new ProtobufWriter()
  for (const field of protobufFields(message)) {
    const content = replace(field)
    if (content === undefined) writer.raw(field.raw)
    else writer.bytesField(field.number, content)
  }
  return writer.finish()
}

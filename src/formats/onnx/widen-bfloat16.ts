import { bfloat16ToFloat32 } from '../../core/bfloat16.js'
import { invariant } from '../../core/errors.js'
import { externalData } from './external-files.js'
import { onnxDataTypes } from './onnx-model.js'
import { protobufFields } from './protobuf-reader.js'
import { ProtobufWriter } from './protobuf-writer.js'
import { rewriteMessage } from './rewrite-message.js'

/** Fields of ModelProto, GraphProto and TensorProto. @see onnx.proto, ONNX 1.19 */
const MODEL_GRAPH = 7
const GRAPH_INITIALIZER = 5
const DATA_TYPE = 2
const RAW_DATA = 9
const EXTERNAL_DATA = 13

/** bfloat16 weights in a file. */
export interface Bfloat16Place {
  /** As the model spells it. */
  readonly file: string
  readonly offset: number
  readonly byteLength: number
}

/** A model without bfloat16. */
export interface WidenedModel {
  readonly model: Uint8Array
  /** What the new file holds, in order and without gaps: each place as float32, which takes twice its bytes. */
  readonly places: readonly Bfloat16Place[]
}

/**
 * Make the bfloat16 initializers of a model float32, for engines that have no bfloat16. Exact: every bfloat16 is a float32.
 * Casts that follow them stay and do nothing.
 *
 * @param newFile - name of a file in which the model will look for the widened weights
 * @throws {NVLMError} MODEL_INVALID if the bytes are no protobuf message
 */
export function widenBfloat16(model: Uint8Array, newFile: string): WidenedModel {
  const places: Bfloat16Place[] = []
  let end = 0
  const place = (tensor: Uint8Array): number => {
    const data = externalData(tensor)
    const file = data.get('location')
    invariant(file !== undefined, 'an initializer has neither data nor a place')
    const byteLength = Number(data.get('length'))
    places.push({ file, offset: Number(data.get('offset') ?? 0), byteLength })
    end += byteLength * 2
    return end - byteLength * 2
  }
  const graph = (bytes: Uint8Array) =>
    rewriteMessage(bytes, field =>
      field.number === GRAPH_INITIALIZER && field.bytes && isBfloat16(field.bytes)
        ? widenTensor(field.bytes, newFile, place)
        : undefined,
    )
  const widened = rewriteMessage(model, field =>
    field.number === MODEL_GRAPH && field.bytes ? graph(field.bytes) : undefined,
  )
  return { model: widened, places }
}

function isBfloat16(tensor: Uint8Array): boolean {
  for (const { number, value } of protobufFields(tensor)) {
    if (number === DATA_TYPE) return value === onnxDataTypes.bfloat16
  }
  return false
}

function widenTensor(tensor: Uint8Array, newFile: string, place: (tensor: Uint8Array) => number): Uint8Array {
  const writer = new ProtobufWriter()
  let isInline = false
  for (const { number, bytes, raw } of protobufFields(tensor)) {
    if (number === DATA_TYPE) writer.varint(DATA_TYPE, onnxDataTypes.float32)
    else if (number === RAW_DATA && bytes) {
      isInline = true
      writer.bytesField(RAW_DATA, widenBytes(bytes))
    } else if (number !== EXTERNAL_DATA) writer.raw(raw)
  }
  if (isInline) return writer.finish()
  const offset = place(tensor)
  const byteLength = Number(externalData(tensor).get('length')) * 2
  const entries = { location: newFile, offset: String(offset), length: String(byteLength) }
  for (const [key, value] of Object.entries(entries)) {
    writer.message(EXTERNAL_DATA, entry => entry.string(1, key).string(2, value))
  }
  return writer.finish()
}

/** The bytes of bfloat16 values as those of float32 values, little endian. */
export function widenBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const codes = new Uint16Array(bytes.slice().buffer)
  return new Uint8Array(bfloat16ToFloat32(codes).buffer as ArrayBuffer)
}

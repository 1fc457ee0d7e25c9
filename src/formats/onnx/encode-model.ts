import {
  type OnnxAttribute,
  type OnnxInitializer,
  type OnnxModel,
  type OnnxNode,
  type OnnxValueInfo,
  onnxDataTypes,
} from './onnx-model.js'
import { ProtobufWriter } from './protobuf-writer.js'

/** ONNX IR version 10 is the first that goes with opset 21. */
const IR_VERSION = 10

/** Values of `AttributeProto.AttributeType`. */
const attributeTypes = { float: 1, int: 2, string: 3, ints: 7 } as const

/** Value of `TensorProto.DataLocation` for data in another file. */
const EXTERNAL_LOCATION = 1

/**
 * Encode a model as the bytes of an `.onnx` file.
 *
 * @see onnx/onnx.proto (ModelProto, GraphProto, NodeProto, TensorProto; field numbers are from there)
 */
export function encodeModel(model: OnnxModel): Uint8Array {
  const writer = new ProtobufWriter()
  writer.varint(1, IR_VERSION).string(2, 'nvlm-ts')
  writer.message(7, graph => {
    for (const node of model.nodes) graph.message(1, message => writeNode(message, node))
    graph.string(2, model.name)
    for (const initializer of model.initializers) {
      graph.message(5, message => writeInitializer(message, initializer))
    }
    for (const input of model.inputs) graph.message(11, message => writeValueInfo(message, input))
    for (const output of model.outputs) graph.message(12, message => writeValueInfo(message, output))
  })
  for (const [domain, version] of Object.entries(model.opsets)) {
    writer.message(8, opset => opset.string(1, domain).varint(2, version))
  }
  return writer.finish()
}

/** The fields of a NodeProto. */
export function writeNode(writer: ProtobufWriter, node: OnnxNode): void {
  for (const input of node.inputs) writer.string(1, input)
  for (const output of node.outputs) writer.string(2, output)
  writer.string(3, node.name).string(4, node.opType)
  for (const [name, value] of Object.entries(node.attributes)) {
    writer.message(5, message => writeAttribute(message, name, value))
  }
  writer.string(7, node.domain)
}

function writeAttribute(writer: ProtobufWriter, name: string, value: OnnxAttribute): void {
  writer.string(1, name)
  if (typeof value === 'number') writer.varint(3, value).varint(20, attributeTypes.int)
  else if (typeof value === 'string') writer.string(4, value).varint(20, attributeTypes.string)
  else if ('float' in value) writer.float(2, value.float).varint(20, attributeTypes.float)
  else {
    for (const item of value) writer.varint(8, item)
    writer.varint(20, attributeTypes.ints)
  }
}

function writeInitializer(writer: ProtobufWriter, initializer: OnnxInitializer): void {
  for (const dim of initializer.dims) writer.varint(1, dim)
  writer.varint(2, onnxDataTypes[initializer.type]).string(8, initializer.name)
  const { data } = initializer
  if (data instanceof Uint8Array) {
    writer.bytesField(9, data)
    return
  }
  const entries = { location: data.file, offset: String(data.offset), length: String(data.byteLength) }
  for (const [key, value] of Object.entries(entries)) {
    writer.message(13, entry => entry.string(1, key).string(2, value))
  }
  writer.varint(14, EXTERNAL_LOCATION)
}

function writeValueInfo(writer: ProtobufWriter, info: OnnxValueInfo): void {
  writer.string(1, info.name).message(2, type => {
    type.message(1, tensor => {
      tensor.varint(1, onnxDataTypes[info.type]).message(2, shape => {
        for (const dim of info.dims) {
          shape.message(1, message => {
            if (typeof dim === 'number') message.varint(1, dim)
            else message.string(2, dim)
          })
        }
      })
    })
  })
}

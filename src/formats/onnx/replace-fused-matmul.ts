import { writeNode } from './encode-model.js'
import type { OnnxNode } from './onnx-model.js'
import { protobufFields, protobufMessages, protobufText } from './protobuf-reader.js'
import { ProtobufWriter } from './protobuf-writer.js'
import { rewriteMessage } from './rewrite-message.js'

/** Fields of ModelProto, GraphProto, NodeProto, AttributeProto, ValueInfoProto. @see onnx.proto, ONNX 1.19 */
const MODEL_GRAPH = 7
const GRAPH_NODE = 1
const GRAPH_INPUT = 11
const NODE = { input: 1, output: 2, opType: 4, attribute: 5 } as const
const ATTRIBUTE = { float: 2, int: 3 } as const
const NAME = 1

/** A product of a graph. */
interface Product {
  readonly inputs: readonly [string, string]
  readonly output: string
  /** `alpha` and flags. */
  readonly attributes: Readonly<Record<string, number>>
}

/**
 * Make the products `FusedMatMul` of a model ones of standard ONNX, for devices that have no `FusedMatMul`: the engine would
 * compute those on the processor, and bring their operands there. The results are the same but for rounding.
 *
 * Products of matrices become `Gemm`, those of stacks of them a `Transpose` and a `MatMul`. What neither can say, and
 * products whose rank is unknown, stay as they are.
 *
 * @throws {NVLMError} MODEL_INVALID if the bytes are no protobuf message
 * @see microsoft/onnxruntime `docs/ContribOperators.md`, `com.microsoft.FusedMatMul`; ONNX `Gemm`
 */
export function replaceFusedMatMul(model: Uint8Array): Uint8Array {
  return rewriteMessage(model, ({ number, bytes }) =>
    number === MODEL_GRAPH && bytes ? replaceInGraph(bytes) : undefined,
  )
}

function replaceInGraph(graph: Uint8Array): Uint8Array {
  const ranks = ranksOfOperands(graph)
  const writer = new ProtobufWriter()
  for (const { number, bytes, raw } of protobufFields(graph)) {
    const product = number === GRAPH_NODE && bytes ? readProduct(bytes) : undefined
    const nodes = product && standardNodes(product, ranks.get(product.inputs[0]))
    if (nodes === undefined) writer.raw(raw)
    else for (const node of nodes) writer.message(GRAPH_NODE, message => writeNode(message, node))
  }
  return writer.finish()
}

/** Ranks of what products take: declared where it is an input of the graph, else that of the other operand. */
function ranksOfOperands(graph: Uint8Array): ReadonlyMap<string, number> {
  const ranks = new Map<string, number>()
  for (const input of protobufMessages(graph, GRAPH_INPUT)) ranks.set(textOf(input, NAME), rankOf(input))
  const products = [...protobufMessages(graph, GRAPH_NODE)].flatMap(node => readProduct(node) ?? [])
  // the second time for products that come before the one that tells
  for (const { inputs } of [...products, ...products]) {
    const rank = ranks.get(inputs[0]) ?? ranks.get(inputs[1])
    if (rank !== undefined) for (const name of inputs) ranks.set(name, rank)
  }
  return ranks
}

/** Nodes that compute a product; undefined if there are none. */
function standardNodes(product: Product, rank: number | undefined): readonly OnnxNode[] | undefined {
  const { inputs, output, attributes } = product
  const { alpha = 1, transA = 0, transB = 0, transBatchA = 0, transBatchB = 0 } = attributes
  const node = (opType: string, from: readonly string[], to: string, attributes: OnnxNode['attributes']) => {
    return { opType, domain: '', name: to, inputs: from, outputs: [to], attributes }
  }
  if (rank === 2 && transBatchA + transBatchB === 0) {
    return [node('Gemm', inputs, output, { alpha: { float: alpha }, transA, transB })]
  }
  if (rank !== 3 || transA + transBatchA > 0) return undefined
  // axes of the second operand in the order [batch, its rows, its columns] of a plain product
  const [batch, row] = transBatchB ? [1, 0] : [0, 1]
  const perm = transB ? [batch, 2, row] : [batch, row, 2]
  const [turned, scale, unscaled] = ['turned', 'scale', 'unscaled'].map(name => `${output}.${name}`)
  if (alpha === 1) {
    return [
      node('Transpose', [inputs[1]], turned!, { perm }),
      node('MatMul', [inputs[0], turned!], output, {}),
    ]
  }
  return [
    node('Transpose', [inputs[1]], turned!, { perm }),
    node('MatMul', [inputs[0], turned!], unscaled!, {}),
    node('Constant', [], scale!, { value_float: { float: alpha } }),
    node('Mul', [unscaled!, scale!], output, {}),
  ]
}

function readProduct(node: Uint8Array): Product | undefined {
  if (textOf(node, NODE.opType) !== 'FusedMatMul') return undefined
  const [a = '', b = ''] = [...protobufMessages(node, NODE.input)].map(protobufText)
  const attributes = [...protobufMessages(node, NODE.attribute)].map(attribute => {
    return [textOf(attribute, NAME), numberOf(attribute)] as const
  })
  return { inputs: [a, b], output: textOf(node, NODE.output), attributes: Object.fromEntries(attributes) }
}

function numberOf(attribute: Uint8Array): number {
  for (const { number, value, raw } of protobufFields(attribute)) {
    if (number === ATTRIBUTE.int && value !== undefined) return value
    // four bytes after the tag
    if (number === ATTRIBUTE.float) return new DataView(raw.slice(1).buffer).getFloat32(0, true)
  }
  return 0
}

function textOf(message: Uint8Array, number: number): string {
  const [text] = protobufMessages(message, number)
  return text === undefined ? '' : protobufText(text)
}

/** Dimensions of a ValueInfoProto: type (2), tensor_type (1), shape (2), dim (1). */
function rankOf(value: Uint8Array): number {
  let message = value
  for (const number of [2, 1, 2]) [message = new Uint8Array()] = protobufMessages(message, number)
  return [...protobufMessages(message, 1)].length
}

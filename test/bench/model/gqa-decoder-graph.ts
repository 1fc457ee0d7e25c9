import type { OnnxDataType, OnnxExternalData, OnnxModel } from '../../../src/formats/onnx/onnx-model.js'
import { float, GraphBuilder, type Value } from '../../../src/graph/graph-builder.js'
import { silu } from '../../../src/graph/layers/activations.js'
import { add, mul, reshape, shapeOf } from '../../../src/graph/ops.js'
import { BLOCK_SIZE } from './grid-matrix.js'
import { common, type DecoderShape } from './shapes.js'

/** Where the stored arrays lie, by name: `<weight>` for vectors, `<weight>.codes` and `<weight>.scales` for matrices. */
export type ArrayPlaces = ReadonlyMap<
  string,
  { readonly type: OnnxDataType; readonly dims: readonly number[]; readonly data: OnnxExternalData }
>

/** Values that all layers share. */
interface Shared {
  /** int32 [1]: tokens before the last one. */
  readonly pastLengths: Value
  /** int32 scalar: all tokens. */
  readonly totalLength: Value
  readonly cos: Value
  readonly sin: Value
}

/** Everything one layer is built with. */
interface Builder {
  readonly graph: GraphBuilder
  readonly shape: DecoderShape
  readonly places: ArrayPlaces
}

/**
 * Qwen2 the way it is published for transformers.js: token ids in, `GroupQueryAttention`, the whole past in and the whole
 * present out at every step, weights in `MatMulNBits` of 4 bits, embeddings and output layer of 8.
 *
 * @see microsoft/onnxruntime-genai `builder.py`; the inputs are those that transformers.js feeds
 */
export function gqaDecoderGraph(shape: DecoderShape, places: ArrayPlaces): OnnxModel {
  const graph = new GraphBuilder('model')
  const builder: Builder = { graph, shape, places }
  const inputIds = graph.input('input_ids', 'int64', ['batch_size', 'sequence_length'])
  const mask = graph.input('attention_mask', 'int64', ['batch_size', 'total_sequence_length'])
  const keep = graph.input('num_logits_to_keep', 'int64', [])
  const shared = sharedValues(builder, mask)
  let x = embed(builder, inputIds)
  let y = norm(builder, 'model.layers.0.input_layernorm', x)
  for (let layer = 0; layer < shape.numHiddenLayers; layer++) {
    const prefix = `model.layers.${layer}`
    const h = addAndNorm(
      builder,
      `${prefix}.post_attention_layernorm`,
      x,
      attention(builder, layer, y, shared),
    )
    const isLast = layer === shape.numHiddenLayers - 1
    const next = isLast ? 'model.norm' : `model.layers.${layer + 1}.input_layernorm`
    const out = addAndNorm(builder, next, h.sum, mlp(builder, `${prefix}.mlp`, h.normed))
    x = out.sum
    y = out.normed
  }
  const logits = product(builder, 'lm_head', lastRows(graph, y, keep), 8, shape.vocabSize, shape.hiddenSize)
  graph.output('logits', logits, 'float32', ['batch_size', 'kept', shape.vocabSize])
  return graph.build()
}

function sharedValues({ graph, places }: Builder, mask: Value): Shared {
  const int32 = { attributes: { to: 6 } }
  const numTokens = graph.op('ReduceSum', [mask, graph.ints([1])], { attributes: { keepdims: 0 } })
  const pastLengths = graph.op('Cast', [graph.op('Sub', [numTokens, graph.ints([1])])], int32)
  const totalLength = graph.op('Cast', [graph.op('Squeeze', [shapeOf(graph, mask, 1, 2)])], int32)
  return { pastLengths, totalLength, cos: stored(graph, places, 'cos'), sin: stored(graph, places, 'sin') }
}

function stored(graph: GraphBuilder, places: ArrayPlaces, name: string): Value {
  const place = places.get(name)
  if (place === undefined) throw new Error(`no array ${name}`)
  return graph.external(name, place.type, place.dims, place.data)
}

function embed({ graph, places }: Builder, inputIds: Value): Value {
  const name = 'model.embed_tokens.weight'
  const inputs = [stored(graph, places, `${name}.codes`), inputIds, stored(graph, places, `${name}.scales`)]
  const attributes = { bits: 8, block_size: BLOCK_SIZE, gather_axis: 0, quantize_axis: 1 }
  return graph.op('GatherBlockQuantized', inputs, { domain: 'com.microsoft', attributes })
}

/** The last `keep` rows of [batch, length, width], or all if it is 0. */
function lastRows(graph: GraphBuilder, x: Value, keep: Value): Value {
  const start = graph.op('Neg', [reshape(graph, keep, [1])])
  const end = graph.ints([Number.MAX_SAFE_INTEGER])
  return graph.op('Slice', [x, start, end, graph.ints([1])])
}

function attention(builder: Builder, layer: number, x: Value, shared: Shared): Value {
  const { graph, shape } = builder
  const { hiddenSize, numAttentionHeads, numKeyValueHeads, headDim } = shape
  const prefix = `model.layers.${layer}.self_attn`
  const project = (name: string, numHeads: number) =>
    add(
      graph,
      product(builder, `${prefix}.${name}`, x, 4, numHeads * headDim, hiddenSize),
      stored(graph, builder.places, `${prefix}.${name}.bias`),
    )
  const cacheDims = (length: string) => ['batch_size', numKeyValueHeads, length, headDim]
  const past = (kind: string) =>
    graph.input(`past_key_values.${layer}.${kind}`, 'float32', cacheDims('past_sequence_length'))
  const inputs = [
    project('q_proj', numAttentionHeads),
    project('k_proj', numKeyValueHeads),
    project('v_proj', numKeyValueHeads),
    past('key'),
    past('value'),
    shared.pastLengths,
    shared.totalLength,
    shared.cos,
    shared.sin,
  ]
  const attributes = { num_heads: numAttentionHeads, kv_num_heads: numKeyValueHeads, do_rotary: 1 }
  const outputs = graph.ops('GroupQueryAttention', inputs, 3, {
    domain: 'com.microsoft',
    attributes: { ...attributes, scale: float(headDim ** -0.5) },
  })
  graph.output(`present.${layer}.key`, outputs[1]!, 'float32', cacheDims('total_sequence_length'))
  graph.output(`present.${layer}.value`, outputs[2]!, 'float32', cacheDims('total_sequence_length'))
  return product(builder, `${prefix}.o_proj`, outputs[0]!, 4, hiddenSize, numAttentionHeads * headDim)
}

function mlp(builder: Builder, prefix: string, x: Value): Value {
  const { graph, shape } = builder
  const { hiddenSize, intermediateSize } = shape
  const up = (name: string) => product(builder, `${prefix}.${name}`, x, 4, intermediateSize, hiddenSize)
  const gated = mul(graph, silu(graph, up('gate_proj')), up('up_proj'))
  return product(builder, `${prefix}.down_proj`, gated, 4, hiddenSize, intermediateSize)
}

function product(
  { graph, places }: Builder,
  module: string,
  x: Value,
  bits: 4 | 8,
  rows: number,
  columns: number,
): Value {
  const name = `${module}.weight`
  const inputs = [x, stored(graph, places, `${name}.codes`), stored(graph, places, `${name}.scales`)]
  return graph.op('MatMulNBits', inputs, {
    domain: 'com.microsoft',
    attributes: { K: columns, N: rows, bits, block_size: BLOCK_SIZE, accuracy_level: 4 },
  })
}

function norm({ graph, places }: Builder, module: string, x: Value): Value {
  const attributes = { axis: -1, epsilon: float(common.rmsNormEps), stash_type: 1 }
  return graph.op('SimplifiedLayerNormalization', [x, stored(graph, places, `${module}.weight`)], {
    attributes,
  })
}

/** x + y, and its norm. */
function addAndNorm(
  { graph, places }: Builder,
  module: string,
  x: Value,
  y: Value,
): { readonly sum: Value; readonly normed: Value } {
  const outputs = graph.ops(
    'SkipSimplifiedLayerNormalization',
    [x, y, stored(graph, places, `${module}.weight`)],
    4,
    {
      domain: 'com.microsoft',
      attributes: { epsilon: float(common.rmsNormEps) },
    },
  )
  return { normed: outputs[0]!, sum: outputs[3]! }
}

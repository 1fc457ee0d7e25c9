import { float, type GraphBuilder, type Value } from '../graph-builder.js'
import { linear } from '../layers/linear.js'
import { add, concat, reshape, split, transpose } from '../ops.js'
import type { Weights } from '../weights.js'
import type { LlamaDecoderConfig, LlamaNames, QkvNames } from './llama-config.js'

/** Values that all layers share. */
export interface SharedInputs {
  /** float32 [length, headDim / 2]. */
  readonly cos: Value
  readonly sin: Value
  /** int64 [1, length]: row of each token in `cos` and `sin`. */
  readonly rows: Value
  /** float32 [group * length, length]: 0 where a new token may look, very low where not; once for each head of a group. */
  readonly mask: Value
  /** The same for past tokens, float32 [group * length, past or 1]; only with an attention window. */
  readonly pastMask: Value | undefined
  /** int64 [2]: number of past and of new tokens. */
  readonly pastAndNew: Value
}

/** What a layer is built from. */
export interface LayerParts {
  readonly graph: GraphBuilder
  /** Those of the layer. */
  readonly weights: Weights
  readonly names: LlamaNames
  readonly config: LlamaDecoderConfig
  readonly shared: SharedInputs
}

/** Name of a past input. */
export function pastName(kind: 'Key' | 'Value', layer: number, head: number): string {
  return `past${kind}.${layer}.${head}`
}

/** Grouped-query attention with rotary positions: x float32 [length, hiddenSize] → the same. */
export function attention(parts: LayerParts, x: Value, layer: number): Value {
  const { graph, weights, names, config, shared } = parts
  const { hiddenSize, headDim, numAttentionHeads, numKeyValueHeads } = config
  const projected = project(parts, names.qkv, x)
  const queries = headsFirst(
    graph,
    rotate(graph, projected.query, numAttentionHeads, headDim, shared),
    numAttentionHeads,
    headDim,
  )
  const keys = headsFirst(
    graph,
    rotate(graph, projected.key, numKeyValueHeads, headDim, shared),
    numKeyValueHeads,
    headDim,
  )
  const values = headsFirst(graph, projected.value, numKeyValueHeads, headDim)
  graph.output(`newKey.${layer}`, keys, 'float32', [numKeyValueHeads, 'length', headDim])
  graph.output(`newValue.${layer}`, values, 'float32', [numKeyValueHeads, 'length', headDim])
  // rows of one head lie together, so that equal parts of all rows are the heads
  const [q, k, v] = [queries, keys, values].map(x =>
    split(graph, reshape(graph, x, [-1, headDim]), numKeyValueHeads, 0),
  )
  const attended = q!.map((query, head) => {
    return attendOneHead(graph, { query, key: k![head]!, value: v![head]! }, config, layer, head, shared)
  })
  const heads = reshape(graph, concat(graph, attended, 0), [numAttentionHeads, -1, headDim])
  const merged = reshape(graph, transpose(graph, heads, [1, 0, 2]), [-1, numAttentionHeads * headDim])
  return linear(weights.within(names.output), merged, {
    inFeatures: numAttentionHeads * headDim,
    outFeatures: hiddenSize,
    hasBias: config.hasOutputBias,
  })
}

/** float32 [length, heads * headDim] each. */
type Projected = Readonly<Record<'query' | 'key' | 'value', Value>>

function project(parts: LayerParts, names: QkvNames, x: Value): Projected {
  return names.layout === 'grouped' ? projectGrouped(parts, names.name, x) : projectEach(parts, names, x)
}

function projectEach(
  { weights, config }: LayerParts,
  names: Extract<QkvNames, { layout: 'separate' }>,
  x: Value,
): Projected {
  const { hiddenSize, headDim, numAttentionHeads, numKeyValueHeads, hasQkvBias } = config
  const one = (name: string, numHeads: number) =>
    linear(weights.within(name), x, {
      inFeatures: hiddenSize,
      outFeatures: numHeads * headDim,
      hasBias: hasQkvBias,
    })
  return {
    query: one(names.query, numAttentionHeads),
    key: one(names.key, numKeyValueHeads),
    value: one(names.value, numKeyValueHeads),
  }
}

/** One product for all, so that the stored rows are read as they lie; what is taken apart is its result. */
function projectGrouped({ graph, weights, config }: LayerParts, name: string, x: Value): Projected {
  const { hiddenSize, headDim, numAttentionHeads, numKeyValueHeads, hasQkvBias } = config
  const group = numAttentionHeads / numKeyValueHeads
  const all = linear(weights.within(name), x, {
    inFeatures: hiddenSize,
    outFeatures: numKeyValueHeads * (group + 2) * headDim,
    hasBias: hasQkvBias,
  })
  const grouped = reshape(graph, all, [-1, numKeyValueHeads, group + 2, headDim])
  const sizes = graph.ints([group, 1, 1])
  const [query, key, value] = graph
    .ops('Split', [grouped, sizes], 3, { attributes: { axis: 2 } })
    .map((part, index) => {
      const numHeads = index === 0 ? numAttentionHeads : numKeyValueHeads
      return reshape(graph, part, [-1, numHeads * headDim])
    })
  return { query: query!, key: key!, value: value! }
}

/**
 * The queries of one key head (float32 [group * length, headDim]) look at its past and at the new tokens: two products,
 * one softmax over both, two products. Nothing of the past is copied.
 */
function attendOneHead(
  graph: GraphBuilder,
  one: { readonly query: Value; readonly key: Value; readonly value: Value },
  config: LlamaDecoderConfig,
  layer: number,
  head: number,
  shared: SharedInputs,
): Value {
  const { headDim } = config
  const past = ['past', headDim] as const
  const isDeclared = layer === 0 && head === 0
  const pastKey = isDeclared
    ? { name: pastName('Key', 0, 0) }
    : graph.input(pastName('Key', layer, head), 'float32', past)
  const pastValue = graph.input(pastName('Value', layer, head), 'float32', past)
  const scores = (key: Value) =>
    graph.op('FusedMatMul', [one.query, key], {
      domain: 'com.microsoft',
      attributes: { transB: 1, alpha: float(headDim ** -0.5) },
    })
  const pastScores = scores(pastKey)
  const visiblePast = shared.pastMask === undefined ? pastScores : add(graph, pastScores, shared.pastMask)
  const all = concat(graph, [visiblePast, add(graph, scores(one.key), shared.mask)], 1)
  const weights = graph.op('Softmax', [all], { attributes: { axis: -1 } })
  const [ofPast, ofNew] = graph.ops('Split', [weights, shared.pastAndNew], 2, { attributes: { axis: 1 } })
  return add(graph, graph.op('MatMul', [ofPast!, pastValue]), graph.op('MatMul', [ofNew!, one.value]))
}

/** Rotary positions on float32 [length, numHeads * headDim], the two halves of a head paired. */
function rotate(
  graph: GraphBuilder,
  x: Value,
  numHeads: number,
  headDim: number,
  shared: SharedInputs,
): Value {
  const inputs = [graph.op('Unsqueeze', [x, graph.ints([0])]), shared.rows, shared.cos, shared.sin]
  const attributes = { interleaved: 0, num_heads: numHeads, rotary_embedding_dim: headDim }
  return graph.op('RotaryEmbedding', inputs, { domain: 'com.microsoft', attributes })
}

/** [length, numHeads * headDim] → [numHeads, length, headDim]. */
function headsFirst(graph: GraphBuilder, x: Value, numHeads: number, headDim: number): Value {
  return transpose(graph, reshape(graph, x, [-1, numHeads, headDim]), [1, 0, 2])
}

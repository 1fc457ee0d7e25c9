import type { OnnxAttribute } from '../../formats/onnx/onnx-model.js'
import { float, type GraphBuilder, type Value } from '../graph-builder.js'
import { linear } from '../layers/linear.js'
import { add, concat, reshape, transpose } from '../ops.js'
import type { Weights } from '../weights.js'
import type { LlamaDecoderConfig, LlamaNames, QkvNames } from './llama-config.js'

/** What the attention of one slot needs beside queries, keys and values; the same in all layers. */
export interface SlotInputs {
  /** float32 [length * group, length]: 0 where a new token may look, very low where not; a row for each head of a group. */
  readonly mask: Value
  /** The same for past tokens, float32 [length * group, past or 1], or [1, 1] for all alike. */
  readonly pastMask: Value
  /** int64 [2]: number of past and of new tokens. */
  readonly pastAndNew: Value
}

/** Values that all layers share. */
export interface SharedInputs {
  /** float32 [keyValueHeads * length, headDim / 2]: a row for each token, and then the same again. */
  readonly cos: Value
  readonly sin: Value
  /** int64 [length, keyValueHeads]: row of each token in `cos` and `sin`, once for each of its key heads. */
  readonly rows: Value
  readonly slots: readonly SlotInputs[]
  /** int64 [slots]: new tokens of each slot, and rows of queries, one for each head of a group; only with several slots. */
  readonly lengths: { readonly keys: Value; readonly queries: Value } | undefined
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
export function pastName(kind: 'Key' | 'Value', layer: number, slot: number): string {
  return `past${kind}.${layer}.${slot}`
}

/** What a layer's attention gives. */
export interface Attended {
  /** float32 [length, hiddenSize]. */
  readonly output: Value
  /** Of the new tokens, float32 [length, keyValueHeads, headDim]. */
  readonly keys: Value
  readonly values: Value
}

/** Grouped-query attention with rotary positions on x float32 [length, hiddenSize]. */
export function attention(parts: LayerParts, x: Value, layer: number): Attended {
  const { graph, weights, names, config, shared } = parts
  const { hiddenSize, headDim, numAttentionHeads, numKeyValueHeads } = config
  const group = numAttentionHeads / numKeyValueHeads
  const projected = project(parts, names.qkv, x)
  const keys = rotate(parts, projected.key, 1)
  const values = byKeyHead(parts, projected.value, 1)
  // a key head's queries lie together, so that they are the rows of one product
  const headsFirst = (rows: Value) => transpose(graph, rows, [1, 0, 2])
  const rotated = headsFirst(rotate(parts, projected.query, group))
  const queries = reshape(graph, rotated, [numKeyValueHeads, -1, headDim])
  const numSlots = shared.slots.length
  const heads = {
    queries: perSlot(graph, queries, shared.lengths?.queries, numSlots),
    // turned before they are cut: the engine makes it part of a product if that is what follows, and divides by the length then
    keys: perSlot(graph, headsFirst(keys), shared.lengths?.keys, numSlots),
    values: perSlot(graph, headsFirst(values), shared.lengths?.keys, numSlots),
  }
  const attended = shared.slots.map((slot, index) => {
    const one = { query: heads.queries[index]!, key: heads.keys[index]!, value: heads.values[index]! }
    return attendSlot(graph, one, config, { layer, slot: index }, slot)
  })
  const grouped = reshape(graph, concat(graph, attended, 1), [numKeyValueHeads, -1, group * headDim])
  const merged = reshape(graph, headsFirst(grouped), [-1, numAttentionHeads * headDim])
  const output = linear(weights.within(names.output), merged, {
    inFeatures: numAttentionHeads * headDim,
    outFeatures: hiddenSize,
    hasBias: config.hasOutputBias,
  })
  return { output, keys, values }
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

/** The rows of each slot, cut from axis 1. */
function perSlot(graph: GraphBuilder, x: Value, lengths: Value | undefined, numSlots: number): Value[] {
  if (lengths === undefined) return [x]
  return graph.ops('Split', [x, lengths], numSlots, { attributes: { axis: 1 } })
}

/**
 * The queries of one sequence (float32 [keyValueHeads, length * group, headDim]) look at its past and at its new tokens
 * (keys and values float32 [keyValueHeads, length, headDim]): two products, one softmax over both, two products. Nothing of the
 * past is copied: it is read with its positions first, as it lies.
 */
function attendSlot(
  graph: GraphBuilder,
  one: { readonly query: Value; readonly key: Value; readonly value: Value },
  { headDim, numKeyValueHeads }: LlamaDecoderConfig,
  { layer, slot }: { readonly layer: number; readonly slot: number },
  inputs: SlotInputs,
): Value {
  const past = [`past.${slot}`, numKeyValueHeads, headDim] as const
  // the first is declared by whoever made `inputs`, which has the length of the past from it
  const pastKey =
    layer === 0
      ? { name: pastName('Key', 0, slot) }
      : graph.input(pastName('Key', layer, slot), 'float32', past)
  const pastValue = graph.input(pastName('Value', layer, slot), 'float32', past)
  const product = (a: Value, b: Value, attributes: Readonly<Record<string, OnnxAttribute>>) =>
    graph.op('FusedMatMul', [a, b], { domain: 'com.microsoft', attributes })
  const scaled = { transB: 1, alpha: float(headDim ** -0.5) }
  const pastScores = product(one.query, pastKey, { ...scaled, transBatchB: 1 })
  const newScores = product(one.query, one.key, scaled)
  const masked = [add(graph, pastScores, inputs.pastMask), add(graph, newScores, inputs.mask)]
  const weights = graph.op('Softmax', [concat(graph, masked, 2)], { attributes: { axis: -1 } })
  const [ofPast, ofNew] = graph.ops('Split', [weights, inputs.pastAndNew], 2, { attributes: { axis: 2 } })
  const fromPast = product(ofPast!, pastValue, { transBatchB: 1 })
  return add(graph, fromPast, graph.op('MatMul', [ofNew!, one.value]))
}

/** float32 [length, keyValueHeads * numHeads * headDim] → [length, keyValueHeads, numHeads * headDim]. */
function byKeyHead({ graph, config }: LayerParts, x: Value, numHeads: number): Value {
  const { numKeyValueHeads, headDim } = config
  return reshape(graph, x, [-1, numKeyValueHeads, numHeads * headDim])
}

/**
 * Rotary positions, the two halves of a head paired: float32 [length, keyValueHeads * numHeads * headDim] →
 * [length, keyValueHeads, numHeads * headDim].
 *
 * The operator takes sequences of tokens. Here it sees a sequence for each token, of its key heads, all at one position: so keys
 * come out as the products want them.
 */
function rotate(parts: LayerParts, x: Value, numHeads: number): Value {
  const { graph, config, shared } = parts
  const inputs = [byKeyHead(parts, x, numHeads), shared.rows, shared.cos, shared.sin]
  const attributes = { interleaved: 0, num_heads: numHeads, rotary_embedding_dim: config.headDim }
  return graph.op('RotaryEmbedding', inputs, { domain: 'com.microsoft', attributes })
}

import type { OnnxModel } from '../../formats/onnx/onnx-model.js'
import { float, GraphBuilder, type Value } from '../graph-builder.js'
import { silu } from '../layers/activations.js'
import { linear } from '../layers/linear.js'
import { rmsNorm } from '../layers/norm.js'
import { add, concat, mul, reshape, shapeOf, split, transpose } from '../ops.js'
import type { WeightSource } from '../weight-source.js'
import { Weights } from '../weights.js'

/** Qwen2 as the graph needs to know it. */
export interface Qwen2DecoderConfig {
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly numHiddenLayers: number
  readonly numAttentionHeads: number
  readonly numKeyValueHeads: number
  readonly headDim: number
  readonly vocabSize: number
  readonly rmsNormEps: number
  /** Are the output weights the embedding table? */
  readonly tieWordEmbeddings: boolean
  /** A token sees itself and this many tokens before it; undefined: all before it. */
  readonly attentionWindow?: number | undefined
}

/** Values that all layers share. */
interface Shared {
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

/**
 * Qwen2 decoder with a read-only past: the past is an input only, and just the keys and values of the new tokens come out.
 *
 * One graph serves prefill in chunks and single steps. Inputs: inputsEmbeds float32 [length, hiddenSize]; cos, sin
 * float32 [length, headDim / 2]; mask float32 [length, length] (additive); with an attention window, pastMask float32
 * [length, past or 1] (additive); logitsRows int64 [rows]; and for each layer and key head `pastKey.<layer>.<head>`, `pastValue.<layer>.<head>` float32 [past, headDim], keys after RoPE.
 * Outputs: logits float32 [rows, vocabSize]; `newKey.<layer>`, `newValue.<layer>` float32 [keyValueHeads, length, headDim].
 *
 * @see huggingface/transformers v4.39.3 `modeling_qwen2.py`
 */
export function qwen2DecoderGraph(
  config: Qwen2DecoderConfig,
  source: WeightSource,
  prefix: string,
): OnnxModel {
  const graph = new GraphBuilder('decoder')
  const weights = new Weights(graph, source, prefix)
  const model = weights.within('model')
  const { hiddenSize, numHiddenLayers, rmsNormEps, vocabSize } = config
  let x = graph.input('inputsEmbeds', 'float32', ['length', hiddenSize])
  const shared = sharedValues(graph, config)
  const logitsRows = graph.input('logitsRows', 'int64', ['rows'])
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    x = decoderLayer(graph, model.within(`layers.${layer}`), config, x, layer, shared)
  }
  const wanted = graph.op('Gather', [x, logitsRows], { attributes: { axis: 0 } })
  const normed = rmsNorm(graph, model.within('norm'), wanted, hiddenSize, rmsNormEps)
  const head = config.tieWordEmbeddings ? model.within('embed_tokens') : weights.within('lm_head')
  const logits = head.multiply('weight', normed, { shape: [vocabSize, hiddenSize], use: 'head' })
  graph.output('logits', logits, 'float32', ['rows', vocabSize])
  return graph.build()
}

function sharedValues(graph: GraphBuilder, config: Qwen2DecoderConfig): Shared {
  const cos = graph.input('cos', 'float32', ['length', config.headDim / 2])
  const sin = graph.input('sin', 'float32', ['length', config.headDim / 2])
  const mask = graph.input('mask', 'float32', ['length', 'length'])
  const group = config.numAttentionHeads / config.numKeyValueHeads
  const length = shapeOf(graph, mask, 0, 1)
  const scalar = graph.op('Squeeze', [length])
  const range = graph.op('Range', [graph.ints([0], []), scalar, graph.ints([1], [])])
  const perHead = graph.ints([group, 1])
  const windowed = config.attentionWindow !== undefined
  const firstPast = graph.input(pastName('Key', 0, 0), 'float32', ['past', config.headDim])
  return {
    cos,
    sin,
    rows: graph.op('Unsqueeze', [range, graph.ints([0])]),
    mask: graph.op('Tile', [mask, perHead]),
    pastMask: windowed
      ? graph.op('Tile', [graph.input('pastMask', 'float32', ['length', 'maskedPast']), perHead])
      : undefined,
    pastAndNew: concat(graph, [shapeOf(graph, firstPast, 0, 1), length], 0),
  }
}

/** Name of a past input. */
function pastName(kind: 'Key' | 'Value', layer: number, head: number): string {
  return `past${kind}.${layer}.${head}`
}

function decoderLayer(
  graph: GraphBuilder,
  weights: Weights,
  config: Qwen2DecoderConfig,
  x: Value,
  layer: number,
  shared: Shared,
): Value {
  const { hiddenSize, intermediateSize, rmsNormEps } = config
  const normed = rmsNorm(graph, weights.within('input_layernorm'), x, hiddenSize, rmsNormEps)
  const h = add(graph, x, attention(graph, weights.within('self_attn'), config, normed, layer, shared))
  const y = rmsNorm(graph, weights.within('post_attention_layernorm'), h, hiddenSize, rmsNormEps)
  const mlp = weights.within('mlp')
  const up = { inFeatures: hiddenSize, outFeatures: intermediateSize, hasBias: false }
  const gated = mul(
    graph,
    silu(graph, linear(mlp.within('gate_proj'), y, up)),
    linear(mlp.within('up_proj'), y, up),
  )
  const down = { inFeatures: intermediateSize, outFeatures: hiddenSize, hasBias: false }
  return add(graph, h, linear(mlp.within('down_proj'), gated, down))
}

function attention(
  graph: GraphBuilder,
  weights: Weights,
  config: Qwen2DecoderConfig,
  x: Value,
  layer: number,
  shared: Shared,
): Value {
  const { hiddenSize, headDim, numAttentionHeads, numKeyValueHeads } = config
  const project = (name: string, numHeads: number) =>
    linear(weights.within(name), x, {
      inFeatures: hiddenSize,
      outFeatures: numHeads * headDim,
      hasBias: true,
    })
  const queries = headsFirst(
    graph,
    rotate(graph, project('q_proj', numAttentionHeads), numAttentionHeads, headDim, shared),
    numAttentionHeads,
    headDim,
  )
  const keys = headsFirst(
    graph,
    rotate(graph, project('k_proj', numKeyValueHeads), numKeyValueHeads, headDim, shared),
    numKeyValueHeads,
    headDim,
  )
  const values = headsFirst(graph, project('v_proj', numKeyValueHeads), numKeyValueHeads, headDim)
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
  return linear(weights.within('o_proj'), merged, {
    inFeatures: numAttentionHeads * headDim,
    outFeatures: hiddenSize,
    hasBias: false,
  })
}

/**
 * The queries of one key head (float32 [group * length, headDim]) look at its past and at the new tokens: two products,
 * one softmax over both, two products. Nothing of the past is copied.
 */
function attendOneHead(
  graph: GraphBuilder,
  one: { readonly query: Value; readonly key: Value; readonly value: Value },
  config: Qwen2DecoderConfig,
  layer: number,
  head: number,
  shared: Shared,
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
function rotate(graph: GraphBuilder, x: Value, numHeads: number, headDim: number, shared: Shared): Value {
  const inputs = [graph.op('Unsqueeze', [x, graph.ints([0])]), shared.rows, shared.cos, shared.sin]
  const attributes = { interleaved: 0, num_heads: numHeads, rotary_embedding_dim: headDim }
  return graph.op('RotaryEmbedding', inputs, { domain: 'com.microsoft', attributes })
}

/** [length, numHeads * headDim] → [numHeads, length, headDim]. */
function headsFirst(graph: GraphBuilder, x: Value, numHeads: number, headDim: number): Value {
  return transpose(graph, reshape(graph, x, [-1, numHeads, headDim]), [1, 0, 2])
}

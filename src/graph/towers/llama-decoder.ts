import type { OnnxModel } from '../../formats/onnx/onnx-model.js'
import { GraphBuilder, type Value } from '../graph-builder.js'
import { silu } from '../layers/activations.js'
import { linear } from '../layers/linear.js'
import { addedRmsNorm, rmsNorm } from '../layers/norm.js'
import { add, concat, mul, reshape, shapeOf } from '../ops.js'
import type { WeightSource } from '../weight-source.js'
import { Weights } from '../weights.js'
import { type CrossInputs, crossAttention, crossInputs } from './cross-attention.js'
import type { CrossAttentionPlacement } from './cross-attention-config.js'
import {
  type Attended,
  attention,
  type LayerParts,
  pastName,
  type SharedInputs,
  type SlotInputs,
} from './llama-attention.js'
import type { LlamaDecoderConfig, LlamaNames } from './llama-config.js'

/**
 * Decoder with a read-only past: the past is an input only, and just the keys and values of the new tokens come out.
 *
 * One graph serves prefill in chunks and single steps. A run takes new tokens of one sequence, or of one in each of `numSlots`
 * slots, one slot's behind the other's: all products with weights see all tokens at once, and each sequence attends on its
 * own. Inputs: inputsEmbeds float32 [length, hiddenSize]; cos, sin float32 [length, headDim / 2]; logitsRows int64 [rows]; with
 * several slots, lengths int64 [slots], the new tokens of each, which may be 0. For each slot s, where n are its new tokens:
 * `mask.s` float32 [n, n] (additive); `pastMask.s` float32 [1, 1], or with an attention window [n, past or 1] (additive); and for
 * each layer l `pastKey.l.s`, `pastValue.l.s` float32 [past, keyValueHeads, headDim], keys after RoPE. `past` is at least 1:
 * a sequence without a past has a row of any numbers, which its mask hides.
 * With cross-attention, which takes one slot only, also crossMask float32 [length, crossLength] (additive), crossSight
 * float32 [length, 1], and for each such layer `crossKey.<layer>`, `crossValue.<layer>` float32
 * [keyValueHeads, crossLength, headDim].
 * Outputs: logits float32 [rows, vocabSize]; newRows float32 [layers * 2 * length, keyValueHeads, headDim], the keys of a layer's new
 * tokens, their values, the keys of the next layer.
 *
 * @see huggingface/transformers v4.39.3 `modeling_qwen2.py`, `modeling_llama.py`; OpenGVLab/InternVL `modeling_internlm2.py`
 */
export function llamaDecoderGraph(
  config: LlamaDecoderConfig,
  source: WeightSource,
  names: LlamaNames,
  numSlots = 1,
): OnnxModel {
  const graph = new GraphBuilder('decoder')
  const weights = new Weights(graph, source)
  const { hiddenSize, numHiddenLayers, rmsNormEps, vocabSize } = config
  let stream: Stream = { sum: graph.input('inputsEmbeds', 'float32', ['length', hiddenSize]) }
  const newRows: Value[] = []
  const shared = sharedValues(graph, config, numSlots)
  const cross = config.crossAttention && crossInputs(graph, config)
  const logitsRows = graph.input('logitsRows', 'int64', ['rows'])
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    const { output, keys, values } = decoderLayer(
      { graph, weights: weights.within(`${names.layers}.${layer}`), names, config, shared },
      config.crossAttention?.layers.includes(layer) ? cross : undefined,
      stream,
      layer,
    )
    stream = output
    newRows.push(keys, values)
  }
  const wanted = graph.op('Gather', [summed(graph, stream), logitsRows], { attributes: { axis: 0 } })
  const normed = rmsNorm(graph, weights.within(names.norm), wanted, hiddenSize, rmsNormEps)
  const head = weights.within(config.tieWordEmbeddings ? names.embedding : names.head)
  const logits = head.multiply('weight', normed, { shape: [vocabSize, hiddenSize], use: 'head' })
  graph.output('logits', logits, 'float32', ['rows', vocabSize])
  const rows = [`${newRows.length} * length`, config.numKeyValueHeads, config.headDim]
  graph.output('newRows', concat(graph, newRows, 0), 'float32', rows)
  return graph.build()
}

function sharedValues(graph: GraphBuilder, config: LlamaDecoderConfig, numSlots: number): SharedInputs {
  const { headDim, numKeyValueHeads } = config
  const cos = graph.input('cos', 'float32', ['length', headDim / 2])
  const sin = graph.input('sin', 'float32', ['length', headDim / 2])
  const numRows = graph.op('Squeeze', [shapeOf(graph, cos, 0, 1)])
  const range = graph.op('Range', [graph.ints([0], []), numRows, graph.ints([1], [])])
  // the operator wants as many rows of a table as a sequence has tokens, and takes key heads for such
  const repeated = (table: Value) => graph.op('Tile', [table, graph.ints([numKeyValueHeads, 1])])
  const lengths = numSlots === 1 ? undefined : graph.input('lengths', 'int64', [numSlots])
  return {
    cos: repeated(cos),
    sin: repeated(sin),
    rows: graph.op('Tile', [
      graph.op('Unsqueeze', [range, graph.ints([1])]),
      graph.ints([1, numKeyValueHeads]),
    ]),
    slots: Array.from({ length: numSlots }, (_, slot) => slotValues(graph, config, slot)),
    lengths: lengths && {
      keys: lengths,
      queries: mul(graph, lengths, graph.ints([config.numAttentionHeads / config.numKeyValueHeads])),
    },
  }
}

function slotValues(graph: GraphBuilder, config: LlamaDecoderConfig, slot: number): SlotInputs {
  const { numAttentionHeads, numKeyValueHeads, headDim, attentionWindow } = config
  const length = `length.${slot}`
  const mask = graph.input(`mask.${slot}`, 'float32', [length, length])
  const isWindowed = attentionWindow !== undefined
  const maskedRows = isWindowed ? [length, `maskedPast.${slot}`] : [1, 1]
  const pastMask = graph.input(`pastMask.${slot}`, 'float32', maskedRows)
  const past = graph.input(pastName('Key', 0, slot), 'float32', [`past.${slot}`, numKeyValueHeads, headDim])
  const group = numAttentionHeads / numKeyValueHeads
  return {
    mask: forEachHead(graph, mask, group),
    pastMask: isWindowed ? forEachHead(graph, pastMask, group) : pastMask,
    pastAndNew: concat(graph, [shapeOf(graph, past, 0, 1), shapeOf(graph, mask, 0, 1)], 0),
  }
}

/** [length, columns] → [length * group, columns]: each row as many times as a group has heads. */
function forEachHead(graph: GraphBuilder, mask: Value, group: number): Value {
  const numRows = mul(graph, shapeOf(graph, mask, 0, 1), graph.ints([group]))
  const tiled = graph.op('Tile', [mask, graph.ints([1, group])])
  return reshape(graph, tiled, concat(graph, [numRows, shapeOf(graph, mask, 1, 2)], 0))
}

/** What runs through the layers: float32 [length, hiddenSize], of which the last part may still have to be added. */
interface Stream {
  readonly sum: Value
  readonly added?: Value | undefined
}

function summed(graph: GraphBuilder, { sum, added }: Stream): Value {
  return added === undefined ? sum : add(graph, sum, added)
}

/** @param cross - in a layer with cross-attention only */
function decoderLayer(
  parts: LayerParts,
  cross: CrossInputs | undefined,
  stream: Stream,
  layer: number,
): Omit<Attended, 'output'> & { readonly output: Stream } {
  const { graph, names, config } = parts
  const crossed = (at: CrossAttentionPlacement, before: Stream): Stream => {
    if (cross === undefined || config.crossAttention?.placement !== at) return before
    const sum = summed(graph, before)
    return { sum, added: crossAttention(parts, cross, sum, layer) }
  }
  const start = normOf(parts, names.inputNorm, crossed('before-self-attention', stream))
  const { output, keys, values } = attention(parts, start.normed, layer)
  const attended = crossed('after-self-attention', { sum: start.sum, added: output })
  const middle = normOf(parts, names.postAttentionNorm, attended)
  const fed = { sum: middle.sum, added: feedForward(parts, middle.normed) }
  return { output: crossed('after-feed-forward', fed), keys, values }
}

/** The stream, all added up, and its norm. */
function normOf({ graph, weights, config }: LayerParts, name: string, { sum, added }: Stream) {
  const { hiddenSize, rmsNormEps } = config
  const norm = weights.within(name)
  return added === undefined
    ? { sum, normed: rmsNorm(graph, norm, sum, hiddenSize, rmsNormEps) }
    : addedRmsNorm(graph, norm, sum, added, hiddenSize, rmsNormEps)
}

function feedForward({ graph, weights, names, config }: LayerParts, x: Value): Value {
  const { hiddenSize, intermediateSize } = config
  const up = { inFeatures: hiddenSize, outFeatures: intermediateSize, hasBias: false }
  const gated = mul(
    graph,
    silu(graph, linear(weights.within(names.gate), x, up)),
    linear(weights.within(names.up), x, up),
  )
  const down = { inFeatures: intermediateSize, outFeatures: hiddenSize, hasBias: false }
  return linear(weights.within(names.down), gated, down)
}

import type { OnnxModel } from '../../formats/onnx/onnx-model.js'
import { GraphBuilder, type Value } from '../graph-builder.js'
import { silu } from '../layers/activations.js'
import { linear } from '../layers/linear.js'
import { rmsNorm } from '../layers/norm.js'
import { add, concat, mul, shapeOf } from '../ops.js'
import type { WeightSource } from '../weight-source.js'
import { Weights } from '../weights.js'
import { type CrossInputs, crossAttention, crossInputs } from './cross-attention.js'
import type { CrossAttentionPlacement } from './cross-attention-config.js'
import { attention, type LayerParts, pastName, type SharedInputs } from './llama-attention.js'
import type { LlamaDecoderConfig, LlamaNames } from './llama-config.js'

/**
 * Decoder with a read-only past: the past is an input only, and just the keys and values of the new tokens come out.
 *
 * One graph serves prefill in chunks and single steps. Inputs: inputsEmbeds float32 [length, hiddenSize]; cos, sin
 * float32 [length, headDim / 2]; mask float32 [length, length] (additive); with an attention window, pastMask float32
 * [length, past or 1] (additive); logitsRows int64 [rows]; and for each layer and key head `pastKey.<layer>.<head>`,
 * `pastValue.<layer>.<head>` float32 [past, headDim], keys after RoPE.
 * With cross-attention also crossMask float32 [length, crossLength] (additive), crossSight float32 [length, 1], and for
 * each such layer `crossKey.<layer>`, `crossValue.<layer>` float32 [keyValueHeads, crossLength, headDim].
 * Outputs: logits float32 [rows, vocabSize]; `newKey.<layer>`, `newValue.<layer>` float32 [keyValueHeads, length, headDim].
 *
 * @see huggingface/transformers v4.39.3 `modeling_qwen2.py`, `modeling_llama.py`; OpenGVLab/InternVL `modeling_internlm2.py`
 */
export function llamaDecoderGraph(
  config: LlamaDecoderConfig,
  source: WeightSource,
  names: LlamaNames,
): OnnxModel {
  const graph = new GraphBuilder('decoder')
  const weights = new Weights(graph, source)
  const { hiddenSize, numHiddenLayers, rmsNormEps, vocabSize } = config
  let x = graph.input('inputsEmbeds', 'float32', ['length', hiddenSize])
  const shared = sharedValues(graph, config)
  const cross = config.crossAttention && crossInputs(graph, config)
  const logitsRows = graph.input('logitsRows', 'int64', ['rows'])
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    x = decoderLayer(
      { graph, weights: weights.within(`${names.layers}.${layer}`), names, config, shared },
      config.crossAttention?.layers.includes(layer) ? cross : undefined,
      x,
      layer,
    )
  }
  const wanted = graph.op('Gather', [x, logitsRows], { attributes: { axis: 0 } })
  const normed = rmsNorm(graph, weights.within(names.norm), wanted, hiddenSize, rmsNormEps)
  const head = weights.within(config.tieWordEmbeddings ? names.embedding : names.head)
  const logits = head.multiply('weight', normed, { shape: [vocabSize, hiddenSize], use: 'head' })
  graph.output('logits', logits, 'float32', ['rows', vocabSize])
  return graph.build()
}

function sharedValues(graph: GraphBuilder, config: LlamaDecoderConfig): SharedInputs {
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

/** @param cross - in a layer with cross-attention only */
function decoderLayer(parts: LayerParts, cross: CrossInputs | undefined, x: Value, layer: number): Value {
  const { graph, weights, names, config } = parts
  const { hiddenSize, rmsNormEps } = config
  const crossed = (at: CrossAttentionPlacement, h: Value) =>
    cross !== undefined && config.crossAttention?.placement === at
      ? add(graph, h, crossAttention(parts, cross, h, layer))
      : h
  const start = crossed('before-self-attention', x)
  const normed = rmsNorm(graph, weights.within(names.inputNorm), start, hiddenSize, rmsNormEps)
  const attended = add(graph, start, attention(parts, normed, layer))
  const h = crossed('after-self-attention', attended)
  const y = rmsNorm(graph, weights.within(names.postAttentionNorm), h, hiddenSize, rmsNormEps)
  return crossed('after-feed-forward', add(graph, h, feedForward(parts, y)))
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

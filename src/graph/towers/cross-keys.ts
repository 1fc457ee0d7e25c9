import { invariant } from '../../core/errors.js'
import type { OnnxModel } from '../../formats/onnx/onnx-model.js'
import { GraphBuilder } from '../graph-builder.js'
import { linear } from '../layers/linear.js'
import type { WeightSource } from '../weight-source.js'
import { Weights } from '../weights.js'
import { crossName, headsFirst } from './cross-attention.js'
import type { LlamaDecoderConfig, LlamaNames } from './llama-config.js'

/**
 * Keys and values of all cross-attention layers of a decoder, a graph of its own because they are computed once a picture:
 * crossEmbeds float32 [crossLength, hiddenSize] → for each layer with cross-attention `crossKey.<layer>`,
 * `crossValue.<layer>` float32 [keyValueHeads, crossLength, headDim].
 */
export function crossKeysGraph(
  config: LlamaDecoderConfig,
  source: WeightSource,
  names: LlamaNames,
): OnnxModel {
  const { hiddenSize, headDim, numKeyValueHeads, crossAttention } = config
  invariant(crossAttention && names.cross, 'a decoder with cross-attention names its tensors')
  const graph = new GraphBuilder('crossKeys')
  const weights = new Weights(graph, source)
  const crossEmbeds = graph.input('crossEmbeds', 'float32', ['crossLength', hiddenSize])
  const size = { inFeatures: hiddenSize, outFeatures: numKeyValueHeads * headDim, hasBias: false }
  for (const layer of crossAttention.layers) {
    const ofLayer = weights.within(`${names.layers}.${layer}`)
    for (const [kind, name] of [
      ['Key', names.cross.key],
      ['Value', names.cross.value],
    ] as const) {
      const rows = headsFirst(
        graph,
        linear(ofLayer.within(name), crossEmbeds, size),
        numKeyValueHeads,
        headDim,
      )
      graph.output(crossName(kind, layer), rows, 'float32', [numKeyValueHeads, 'crossLength', headDim])
    }
  }
  return graph.build()
}

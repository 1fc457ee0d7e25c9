import type { OnnxModel } from '../../formats/onnx/onnx-model.js'
import { GraphBuilder } from '../graph-builder.js'
import { gelu } from '../layers/activations.js'
import { linear } from '../layers/linear.js'
import { layerNorm } from '../layers/norm.js'
import { reshape, transpose } from '../ops.js'
import type { WeightSource } from '../weight-source.js'
import { Weights } from '../weights.js'

/** Pixel shuffle, and `mlp1`: a norm and one or two linear layers. */
export interface MlpProjectorConfig {
  readonly visionHiddenSize: number
  /** Width between the two linear layers; undefined: there is one, without an activation. */
  readonly intermediateSize: number | undefined
  readonly hiddenSize: number
  /** Do the linear layers have a bias? InternVL's do, NVLM-D's do not. */
  readonly hasBias: boolean
  /** 1 / downsample_ratio: patches along one side that become one token. */
  readonly shuffleFactor: number
  /** v1 leaves the tokens of a tile in column order, v2 in row order. */
  readonly shuffleVersion: 'v1' | 'v2'
}

/** The module names of the projector in a checkpoint. */
export interface MlpProjectorNames {
  readonly norm: string
  /** The first linear layer, or the only one. */
  readonly up: string
  readonly down: string
}

/** Default of `torch.nn.LayerNorm`, which both model families use here. */
const NORM_EPS = 1e-5

/**
 * features float32 [tiles, rows, factor, columns, factor, visionHiddenSize] → imageEmbeds [tokens, hiddenSize].
 *
 * @see nvidia/NVLM-D-72B `modeling_nvlm_d.py`, `pixel_shuffle` and `mlp1`
 */
export function mlpProjectorGraph(
  config: MlpProjectorConfig,
  source: WeightSource,
  names: MlpProjectorNames,
): OnnxModel {
  const { visionHiddenSize, intermediateSize, hiddenSize, hasBias, shuffleFactor } = config
  const graph = new GraphBuilder('projector')
  const weights = new Weights(graph, source)
  const features = graph.input('features', 'float32', [
    'tiles',
    'rows',
    shuffleFactor,
    'columns',
    shuffleFactor,
    visionHiddenSize,
  ])
  const order = config.shuffleVersion === 'v2' ? [0, 1, 3, 2, 4, 5] : [0, 3, 1, 2, 4, 5]
  const width = shuffleFactor * shuffleFactor * visionHiddenSize
  const shuffled = reshape(graph, transpose(graph, features, order), [-1, width])
  const normed = layerNorm(graph, weights.within(names.norm), shuffled, width, NORM_EPS)
  const one = linear(weights.within(names.up), normed, {
    inFeatures: width,
    outFeatures: intermediateSize ?? hiddenSize,
    hasBias,
  })
  const imageEmbeds =
    intermediateSize === undefined
      ? one
      : linear(weights.within(names.down), gelu(graph, one), {
          inFeatures: intermediateSize,
          outFeatures: hiddenSize,
          hasBias,
        })
  graph.output('imageEmbeds', imageEmbeds, 'float32', ['tokens', hiddenSize])
  return graph.build()
}

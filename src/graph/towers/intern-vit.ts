import type { OnnxModel } from '../../formats/onnx/onnx-model.js'
import { float, GraphBuilder, type Value } from '../graph-builder.js'
import { gelu } from '../layers/activations.js'
import { linear } from '../layers/linear.js'
import { layerNorm, partialRmsNorm, rmsNorm } from '../layers/norm.js'
import { add, concat, mul, reshape, shapeOf, slice, transpose } from '../ops.js'
import type { WeightSource } from '../weight-source.js'
import { Weights } from '../weights.js'

/** InternViT as the graph needs to know it. */
export interface InternVitConfig {
  readonly hiddenSize: number
  readonly intermediateSize: number
  /** Layers that are run: those after the selected one are left out. */
  readonly numHiddenLayers: number
  /** Heads that carry weight; headDim = hiddenSize / numAttentionHeads. */
  readonly numAttentionHeads: number
  /** All-zero heads that pad the stored attention weights; NVLM-D stores 7. */
  readonly numDummyHeads: number
  /** Side of the picture that the stored positions are for, in pixels. */
  readonly imageSize: number
  readonly patchSize: number
  readonly normType: 'rms_norm' | 'layer_norm'
  readonly normEps: number
  readonly hasQkvBias: boolean
  readonly hasQkNorm: boolean
  /** Resize the positions to the picture's patch grid, as InternVL does and NVLM-D does not. */
  readonly interpolatesPositions: boolean
}

/** What was found out about the stored weights. */
export interface InternVitOptions {
  /** Leave the dummy heads out; exact only if their value weights are all zero. */
  readonly dropsDummyHeads: boolean
}

/**
 * InternViT without its final norm: pixelValues float32 [tiles, 3, side, side] → features [tiles, patches, hiddenSize].
 *
 * @see nvidia/NVLM-D-72B and OpenGVLab/InternVL `modeling_intern_vit.py`, `InternVisionModel`
 */
export function internVitGraph(
  config: InternVitConfig,
  source: WeightSource,
  prefix: string,
  options: InternVitOptions,
): OnnxModel {
  const graph = new GraphBuilder('vision')
  const weights = new Weights(graph, source, prefix)
  const pixelValues = graph.input('pixelValues', 'float32', ['tiles', 3, 'side', 'side'])
  const embeddings = visionEmbeddings(graph, weights.within('embeddings'), config, pixelValues)
  const tokensShape = shapeOf(graph, embeddings, 0, 2)
  let x = reshape(graph, embeddings, [-1, config.hiddenSize])
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    x = encoderLayer(graph, weights.within(`encoder.layers.${layer}`), config, options, x, tokensShape)
  }
  const all = reshape(graph, x, concat(graph, [tokensShape, graph.ints([config.hiddenSize])], 0))
  const features = slice(graph, all, 1, Number.MAX_SAFE_INTEGER, 1)
  graph.output('features', features, 'float32', ['tiles', 'patches', config.hiddenSize])
  return graph.build()
}

/** float32 [tiles, 1 + patches, hiddenSize]: class token, then the patches row by row, with their positions. */
function visionEmbeddings(
  graph: GraphBuilder,
  weights: Weights,
  config: InternVitConfig,
  pixelValues: Value,
): Value {
  const { hiddenSize, patchSize } = config
  const kernel = weights.within('patch_embedding').get('weight', [hiddenSize, 3, patchSize, patchSize])
  const bias = weights.within('patch_embedding').get('bias', [hiddenSize])
  const grid = graph.op('Conv', [pixelValues, kernel, bias], {
    attributes: { kernel_shape: [patchSize, patchSize], strides: [patchSize, patchSize] },
  })
  const patches = transpose(graph, reshape(graph, grid, [0, 0, -1]), [0, 2, 1])
  const one = graph.ints([1])
  const classShape = concat(graph, [shapeOf(graph, pixelValues, 0, 1), one, one], 0)
  const classToken = graph.op('Expand', [weights.get('class_embedding', [1, 1, hiddenSize]), classShape])
  return add(graph, concat(graph, [classToken, patches], 1), positions(graph, weights, config, grid))
}

/** float32 [1, 1 + patches, hiddenSize]. Bicubic with PyTorch's a = -0.75; exact where the grid is the stored one. */
function positions(graph: GraphBuilder, weights: Weights, config: InternVitConfig, grid: Value): Value {
  const side = config.imageSize / config.patchSize
  const stored = weights.get('position_embedding', [1, side * side + 1, config.hiddenSize])
  if (!config.interpolatesPositions) return stored
  const patches = slice(graph, stored, 1, Number.MAX_SAFE_INTEGER, 1)
  const storedGrid = transpose(
    graph,
    reshape(graph, patches, [1, side, side, config.hiddenSize]),
    [0, 3, 1, 2],
  )
  const sizes = concat(graph, [graph.ints([1, config.hiddenSize]), shapeOf(graph, grid, 2, 4)], 0)
  const resized = graph.op('Resize', [storedGrid, undefined, undefined, sizes], {
    attributes: { mode: 'cubic', cubic_coeff_a: float(-0.75), coordinate_transformation_mode: 'half_pixel' },
  })
  const rows = transpose(graph, reshape(graph, resized, [1, config.hiddenSize, -1]), [0, 2, 1])
  return concat(graph, [slice(graph, stored, 0, 1, 1), rows], 1)
}

/** x: float32 [tiles * tokens, hiddenSize]. */
function encoderLayer(
  graph: GraphBuilder,
  weights: Weights,
  config: InternVitConfig,
  options: InternVitOptions,
  x: Value,
  tokensShape: Value,
): Value {
  const norm = config.normType === 'rms_norm' ? rmsNorm : layerNorm
  const { hiddenSize, intermediateSize, normEps } = config
  const scale1 = weights.get('ls1', [hiddenSize])
  const scale2 = weights.get('ls2', [hiddenSize])
  const attended = attention(
    graph,
    weights.within('attn'),
    config,
    options,
    norm(graph, weights.within('norm1'), x, hiddenSize, normEps),
    tokensShape,
  )
  const h = add(graph, x, mul(graph, attended, scale1))
  const normed = norm(graph, weights.within('norm2'), h, hiddenSize, normEps)
  const mlp = weights.within('mlp')
  const up = linear(mlp.within('fc1'), normed, {
    inFeatures: hiddenSize,
    outFeatures: intermediateSize,
    hasBias: true,
  })
  const down = linear(mlp.within('fc2'), gelu(graph, up), {
    inFeatures: intermediateSize,
    outFeatures: hiddenSize,
    hasBias: true,
  })
  return add(graph, h, mul(graph, down, scale2))
}

function attention(
  graph: GraphBuilder,
  weights: Weights,
  config: InternVitConfig,
  options: InternVitOptions,
  x: Value,
  tokensShape: Value,
): Value {
  const { hiddenSize } = config
  const headDim = hiddenSize / config.numAttentionHeads
  const storedWidth = (config.numAttentionHeads + config.numDummyHeads) * headDim
  const keepsDummies = config.numDummyHeads > 0 && !options.dropsDummyHeads
  const width = keepsDummies ? storedWidth : hiddenSize
  const [q, k, v] = [0, 1, 2].map(block => {
    const rows = { first: block * storedWidth, count: width }
    const bias = config.hasQkvBias ? weights.getRows('qkv.bias', [3 * storedWidth], rows) : undefined
    const projected = weights.multiply('qkv.weight', x, { shape: [3 * storedWidth, hiddenSize], rows, bias })
    const norm = ['q_norm', 'k_norm'][block]
    return config.hasQkNorm && norm !== undefined
      ? qkNorm(graph, weights.within(norm), config, projected, storedWidth, width)
      : projected
  })
  const shape = concat(graph, [tokensShape, graph.ints([width])], 0)
  const inputs = [q!, k!, v!].map(value => reshape(graph, value, shape))
  const attended = graph.op('MultiHeadAttention', inputs, {
    domain: 'com.microsoft',
    attributes: { num_heads: width / headDim, scale: float(headDim ** -0.5) },
  })
  return weights.within('proj').multiply('weight', reshape(graph, attended, [-1, width]), {
    shape: [hiddenSize, storedWidth],
    columns: width,
    bias: weights.within('proj').get('bias', [hiddenSize]),
  })
}

/** One RMSNorm over all real heads together. */
function qkNorm(
  graph: GraphBuilder,
  weights: Weights,
  config: InternVitConfig,
  x: Value,
  storedWidth: number,
  width: number,
): Value {
  const { hiddenSize, normEps } = config
  if (width > hiddenSize)
    return partialRmsNorm(graph, weights, x, { size: width, numMeasured: hiddenSize }, normEps)
  const weight = weights.getRows('weight', [storedWidth], { first: 0, count: width })
  return graph.op('SimplifiedLayerNormalization', [x, weight], {
    attributes: { axis: -1, epsilon: float(normEps), stash_type: 1 },
  })
}

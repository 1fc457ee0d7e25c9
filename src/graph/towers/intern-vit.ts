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

/** Where the projections to queries, keys and values are stored, within a layer; `.weight` and `.bias` follow. */
export type VitQkvNames =
  | {
      /** One tensor, the rows of all queries first. */
      readonly layout: 'fused'
      readonly name: string
    }
  | { readonly layout: 'separate'; readonly names: readonly [query: string, key: string, value: string] }

/** The module names of InternViT in a checkpoint; those of a layer are relative to it. */
export interface InternVitNames {
  readonly classToken: string
  readonly positions: string
  readonly patches: string
  /** Followed by a dot and the number of the layer. */
  readonly layers: string
  readonly norm1: string
  readonly qkv: VitQkvNames
  readonly queryNorm: string
  readonly keyNorm: string
  readonly output: string
  readonly scale1: string
  readonly norm2: string
  readonly up: string
  readonly down: string
  readonly scale2: string
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
  names: InternVitNames,
  options: InternVitOptions,
): OnnxModel {
  const graph = new GraphBuilder('vision')
  const weights = new Weights(graph, source)
  const pixelValues = graph.input('pixelValues', 'float32', ['tiles', 3, 'side', 'side'])
  const embeddings = visionEmbeddings({ graph, weights, names, config, options }, pixelValues)
  const tokensShape = shapeOf(graph, embeddings, 0, 2)
  let x = reshape(graph, embeddings, [-1, config.hiddenSize])
  for (let layer = 0; layer < config.numHiddenLayers; layer++) {
    const parts = { graph, weights: weights.within(`${names.layers}.${layer}`), names, config, options }
    x = encoderLayer(parts, x, tokensShape)
  }
  const all = reshape(graph, x, concat(graph, [tokensShape, graph.ints([config.hiddenSize])], 0))
  const features = slice(graph, all, 1, Number.MAX_SAFE_INTEGER, 1)
  graph.output('features', features, 'float32', ['tiles', 'patches', config.hiddenSize])
  return graph.build()
}

/** What the tower, or one of its layers, is built from. */
interface VitParts {
  readonly graph: GraphBuilder
  /** Those of the whole tower, or of the layer. */
  readonly weights: Weights
  readonly names: InternVitNames
  readonly config: InternVitConfig
  readonly options: InternVitOptions
}

/** float32 [tiles, 1 + patches, hiddenSize]: class token, then the patches row by row, with their positions. */
function visionEmbeddings(parts: VitParts, pixelValues: Value): Value {
  const { graph, weights, names, config } = parts
  const { hiddenSize, patchSize } = config
  const projection = weights.within(names.patches)
  const kernel = projection.get('weight', [hiddenSize, 3, patchSize, patchSize])
  const bias = projection.get('bias', [hiddenSize])
  const grid = graph.op('Conv', [pixelValues, kernel, bias], {
    attributes: { kernel_shape: [patchSize, patchSize], strides: [patchSize, patchSize] },
  })
  const patches = transpose(graph, reshape(graph, grid, [0, 0, -1]), [0, 2, 1])
  const one = graph.ints([1])
  const classShape = concat(graph, [shapeOf(graph, pixelValues, 0, 1), one, one], 0)
  const classToken = graph.op('Expand', [weights.get(names.classToken, [1, 1, hiddenSize]), classShape])
  return add(graph, concat(graph, [classToken, patches], 1), positions(parts, grid))
}

/** float32 [1, 1 + patches, hiddenSize]. Bicubic with PyTorch's a = -0.75; exact where the grid is the stored one. */
function positions({ graph, weights, names, config }: VitParts, grid: Value): Value {
  const side = config.imageSize / config.patchSize
  const stored = weights.get(names.positions, [1, side * side + 1, config.hiddenSize])
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
function encoderLayer(parts: VitParts, x: Value, tokensShape: Value): Value {
  const { graph, weights, names, config } = parts
  const norm = config.normType === 'rms_norm' ? rmsNorm : layerNorm
  const { hiddenSize, intermediateSize, normEps } = config
  const scale1 = weights.get(names.scale1, [hiddenSize])
  const scale2 = weights.get(names.scale2, [hiddenSize])
  const attended = attention(
    parts,
    norm(graph, weights.within(names.norm1), x, hiddenSize, normEps),
    tokensShape,
  )
  const h = add(graph, x, mul(graph, attended, scale1))
  const normed = norm(graph, weights.within(names.norm2), h, hiddenSize, normEps)
  const up = linear(weights.within(names.up), normed, {
    inFeatures: hiddenSize,
    outFeatures: intermediateSize,
    hasBias: true,
  })
  const down = linear(weights.within(names.down), gelu(graph, up), {
    inFeatures: intermediateSize,
    outFeatures: hiddenSize,
    hasBias: true,
  })
  return add(graph, h, mul(graph, down, scale2))
}

function attention(parts: VitParts, x: Value, tokensShape: Value): Value {
  const { graph, weights, names, config, options } = parts
  const { hiddenSize } = config
  const headDim = hiddenSize / config.numAttentionHeads
  const storedWidth = (config.numAttentionHeads + config.numDummyHeads) * headDim
  const keepsDummies = config.numDummyHeads > 0 && !options.dropsDummyHeads
  const width = keepsDummies ? storedWidth : hiddenSize
  const [q, k, v] = ([0, 1, 2] as const).map(block => {
    const { name, numRows, first } = storedRows(names.qkv, block, storedWidth)
    const rows = { first, count: width }
    const bias = config.hasQkvBias ? weights.getRows(`${name}.bias`, [numRows], rows) : undefined
    const projected = weights.multiply(`${name}.weight`, x, { shape: [numRows, hiddenSize], rows, bias })
    const norm = [names.queryNorm, names.keyNorm][block]
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
  const output = weights.within(names.output)
  return output.multiply('weight', reshape(graph, attended, [-1, width]), {
    shape: [hiddenSize, storedWidth],
    columns: width,
    bias: output.get('bias', [hiddenSize]),
  })
}

/** Where the rows of the queries (0), keys (1) or values (2) begin, and in which tensor. */
function storedRows(
  names: VitQkvNames,
  block: 0 | 1 | 2,
  width: number,
): { readonly name: string; readonly numRows: number; readonly first: number } {
  return names.layout === 'fused'
    ? { name: names.name, numRows: 3 * width, first: block * width }
    : { name: names.names[block], numRows: width, first: 0 }
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

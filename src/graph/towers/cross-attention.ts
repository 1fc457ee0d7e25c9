import { invariant } from '../../core/errors.js'
import { float, type GraphBuilder, type Value } from '../graph-builder.js'
import { linear } from '../layers/linear.js'
import { rmsNorm } from '../layers/norm.js'
import { add, mul, reshape, transpose } from '../ops.js'
import type { LayerParts } from './llama-attention.js'
import type { LlamaDecoderConfig } from './llama-config.js'

/** Values that all cross-attention layers share. */
export interface CrossInputs {
  /** float32 [group * length, crossLength]: 0 where a token may look, very low where not; once for each head of a group. */
  readonly mask: Value
  /** float32 [length, 1]: 1 for a token that sees something, 0 for one that sees nothing. */
  readonly sight: Value
}

/** Name of the keys or values of one layer, as an output of the cross-keys graph and an input of the decoder's. */
export function crossName(kind: 'Key' | 'Value', layer: number): string {
  return `cross${kind}.${layer}`
}

/** The inputs `crossMask` float32 [length, crossLength] and `crossSight` float32 [length, 1]. */
export function crossInputs(graph: GraphBuilder, config: LlamaDecoderConfig): CrossInputs {
  const mask = graph.input('crossMask', 'float32', ['length', 'crossLength'])
  const group = config.numAttentionHeads / config.numKeyValueHeads
  return {
    mask: graph.op('Tile', [mask, graph.ints([group, 1])]),
    sight: graph.input('crossSight', 'float32', ['length', 1]),
  }
}

/**
 * The branch of a gated cross-attention: x float32 [length, hiddenSize] → what is added to x.
 *
 * No rotary positions, no biases. `sight` multiplies the whole branch, so that a token that sees nothing adds exactly 0,
 * whatever the softmax of a row without anything to see may be; a gate of 0 does the same for all tokens.
 *
 * @see Flamingo (arXiv 2204.14198) section 2.2, which NVLM (arXiv 2409.11402) takes its gated layers from
 */
export function crossAttention(parts: LayerParts, cross: CrossInputs, x: Value, layer: number): Value {
  const { graph, weights, config, names } = parts
  const { hiddenSize, headDim, numAttentionHeads, numKeyValueHeads, rmsNormEps, crossAttention } = config
  invariant(crossAttention && names.cross, 'a layer with cross-attention names its tensors')
  const { norm, query, output, gate } = names.cross
  const width = numAttentionHeads * headDim
  const input = crossAttention.hasQueryNorm
    ? rmsNorm(graph, weights.within(norm), x, hiddenSize, rmsNormEps)
    : x
  const queries = linear(weights.within(query), input, {
    inFeatures: hiddenSize,
    outFeatures: width,
    hasBias: false,
  })
  // the heads of a group lie behind each other, so that they are rows of one product with their key head
  const grouped = reshape(graph, headsFirst(graph, queries, numAttentionHeads, headDim), [
    numKeyValueHeads,
    -1,
    headDim,
  ])
  const dims = [numKeyValueHeads, 'crossLength', headDim] as const
  const keys = graph.input(crossName('Key', layer), 'float32', dims)
  const values = graph.input(crossName('Value', layer), 'float32', dims)
  const scores = graph.op('FusedMatMul', [grouped, keys], {
    domain: 'com.microsoft',
    attributes: { transB: 1, alpha: float(headDim ** -0.5) },
  })
  const shares = graph.op('Softmax', [add(graph, scores, cross.mask)], { attributes: { axis: -1 } })
  const heads = reshape(graph, graph.op('MatMul', [shares, values]), [numAttentionHeads, -1, headDim])
  const merged = reshape(graph, transpose(graph, heads, [1, 0, 2]), [-1, width])
  const branch = linear(weights.within(output), merged, {
    inFeatures: width,
    outFeatures: hiddenSize,
    hasBias: false,
  })
  const strength = graph.op('Tanh', [weights.get(gate, [1])])
  return mul(graph, branch, mul(graph, cross.sight, strength))
}

/** [length, numHeads * headDim] → [numHeads, length, headDim]. */
export function headsFirst(graph: GraphBuilder, x: Value, numHeads: number, headDim: number): Value {
  return transpose(graph, reshape(graph, x, [-1, numHeads, headDim]), [1, 0, 2])
}

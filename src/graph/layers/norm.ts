import { float, type GraphBuilder, type Value } from '../graph-builder.js'
import { mul, slice } from '../ops.js'
import type { Weights } from '../weights.js'

/** RMSNorm over the last axis: x / sqrt(mean(x²) + eps) * weight. */
export function rmsNorm(graph: GraphBuilder, weights: Weights, x: Value, size: number, eps: number): Value {
  const attributes = { axis: -1, epsilon: float(eps), stash_type: 1 }
  return graph.op('SimplifiedLayerNormalization', [x, weights.get('weight', [size])], { attributes })
}

/** A sum and its RMSNorm, by one kernel: x + added, and that normed. */
export function addedRmsNorm(
  graph: GraphBuilder,
  weights: Weights,
  x: Value,
  added: Value,
  size: number,
  eps: number,
): { readonly sum: Value; readonly normed: Value } {
  const inputs = [added, x, weights.get('weight', [size])]
  const [normed, , , sum] = graph.ops('SkipSimplifiedLayerNormalization', inputs, 4, {
    domain: 'com.microsoft',
    attributes: { epsilon: float(eps) },
    // of training
    unused: [1, 2],
  })
  return { sum: sum!, normed: normed! }
}

/** `torch.nn.LayerNorm` over the last axis. */
export function layerNorm(graph: GraphBuilder, weights: Weights, x: Value, size: number, eps: number): Value {
  const inputs = [x, weights.get('weight', [size]), weights.get('bias', [size])]
  return graph.op('LayerNormalization', inputs, { attributes: { axis: -1, epsilon: float(eps) } })
}

/**
 * RMSNorm whose mean square is taken over the first `numMeasured` of `size` channels and applied to all of them.
 *
 * @see nvidia/NVLM-D-72B `modeling_intern_vit.py`, `InternRMSNorm` of the padded attention heads
 */
export function partialRmsNorm(
  graph: GraphBuilder,
  weights: Weights,
  x: Value,
  sizes: { readonly size: number; readonly numMeasured: number },
  eps: number,
): Value {
  const measured = slice(graph, x, 0, sizes.numMeasured, 1)
  const meanSquare = graph.op('ReduceMean', [mul(graph, measured, measured), graph.ints([1])], {
    attributes: { keepdims: 1 },
  })
  const deviation = graph.op('Sqrt', [graph.op('Add', [meanSquare, graph.float(eps)])])
  return mul(graph, graph.op('Div', [x, deviation]), weights.get('weight', [sizes.size]))
}

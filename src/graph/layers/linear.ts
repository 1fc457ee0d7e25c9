import type { GraphBuilder, Value } from '../graph-builder.js'
import type { Weights } from '../weights.js'

/** Sizes of a linear layer, named as in PyTorch. */
export interface LinearOptions {
  readonly inFeatures: number
  readonly outFeatures: number
  readonly hasBias: boolean
}

/** `torch.nn.Linear` on float32 [rows, inFeatures] → [rows, outFeatures]; the stored [out, in] weight is used as it lies. */
export function linear(graph: GraphBuilder, weights: Weights, x: Value, options: LinearOptions): Value {
  const weight = weights.get('weight', [options.outFeatures, options.inFeatures])
  const bias = options.hasBias ? weights.get('bias', [options.outFeatures]) : undefined
  return gemm(graph, x, weight, bias)
}

/** x · weightᵀ (+ bias) on matrices. */
export function gemm(graph: GraphBuilder, x: Value, weight: Value, bias?: Value): Value {
  return graph.op('Gemm', bias === undefined ? [x, weight] : [x, weight, bias], { attributes: { transB: 1 } })
}

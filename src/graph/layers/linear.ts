import type { Value } from '../graph-builder.js'
import type { Weights } from '../weights.js'

/** Sizes of a linear layer, named as in PyTorch. */
export interface LinearOptions {
  readonly inFeatures: number
  readonly outFeatures: number
  readonly hasBias: boolean
}

/** `torch.nn.Linear` on float32 [rows, inFeatures] → [rows, outFeatures]; the stored [out, in] weight is used as it lies. */
export function linear(weights: Weights, x: Value, options: LinearOptions): Value {
  const { inFeatures, outFeatures, hasBias } = options
  const bias = hasBias ? weights.get('bias', [outFeatures]) : undefined
  return weights.multiply('weight', x, { shape: [outFeatures, inFeatures], bias })
}

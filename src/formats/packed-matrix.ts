import type { TensorInfo } from './safetensors.js'

/** Ways in which 4-bit matrices are published; see `repackMatrix`. */
export type PackedLayout = 'awq' | 'gptq' | 'gptq-v2' | 'compressed-tensors'

/** A matrix that was quantised before it was published: 4 bits in groups of one row. */
export interface PackedMatrix {
  readonly layout: PackedLayout
  readonly rows: number
  readonly columns: number
  /** Weights of a row that share a scale. */
  readonly groupSize: number
  readonly codes: TensorInfo
  readonly scales: TensorInfo
  /** Absent where all zero points are 8. */
  readonly zeroPoints: TensorInfo | undefined
}

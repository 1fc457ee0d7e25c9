import type { DType } from '../core/dtypes.js'
import type { BlockDType } from '../formats/blocks/block-format.js'

/** A range of rows of a matrix: [first, first + count). */
export interface RowRange {
  readonly first: number
  readonly count: number
}

/** What a graph does with a weight, which decides how it may be stored. */
export type WeightUse =
  /** Read as float32: norms, biases, kernels. */
  | 'plain'
  /** Multiplied: x · weightᵀ. */
  | 'linear'
  /** Multiplied once a token, to give the logits: more sensitive, and read once where a layer's are read in each. */
  | 'head'

/** The part of a stored tensor that a graph wants; a tensor of more than two axes counts as [first axis, the rest]. */
export interface WeightPart {
  readonly use: WeightUse
  readonly rows: RowRange
  /** The first columns, as many as are wanted. */
  readonly columns: number
}

/** Where floats lie; `file` is relative to the folder that the graph is loaded with. */
export interface FloatPlace {
  readonly dtype: Extract<DType, 'F32' | 'F16' | 'BF16'>
  readonly file: string
  /** First byte of the rows in the file. */
  readonly offset: number
  readonly rows: number
  /** At least the columns asked for: a place in a checkpoint has all of them. */
  readonly columns: number
}

/** Where a matrix in blocks lies: three arrays of one file. */
export interface BlockPlace {
  readonly dtype: BlockDType
  /** Weights of a row that share a scale. */
  readonly blockSize: number
  readonly file: string
  /** First byte of the codes. */
  readonly offset: number
  readonly scalesOffset: number
  /** Undefined for a format without zero points. */
  readonly zeroPointsOffset: number | undefined
  readonly rows: number
  readonly columns: number
}

export type WeightPlace = FloatPlace | BlockPlace

/** How a graph computes with its weights. */
export interface GraphCompute {
  /** What linear layers with float weights compute in; everything else is float32. */
  readonly linear: 'float32' | 'float16'
  /** What MatMulNBits rounds its input to: int8 in blocks is several times faster on CPUs, float32 is exact. */
  readonly blockInput: 'int8' | 'float32'
}

/** What a graph must know of a stored tensor. */
export interface StoredWeight {
  readonly dtype: DType
  readonly shape: readonly number[]
  /** Is it a matrix in blocks already, which can be multiplied with and nothing else? */
  readonly packed?: object | undefined
}

/** The weights that a graph is built on. */
export interface WeightSource {
  readonly compute: GraphCompute
  /** Type and shape of a stored tensor, by its full name; undefined if there is none. */
  stored(name: string): StoredWeight | undefined
  /**
   * Where a part of a stored tensor lies: in one piece or, if that were too large for a file, in several, by rows.
   * `dtype` of a plain part is that of floats.
   */
  place(name: string, part: WeightPart): readonly WeightPlace[]
}

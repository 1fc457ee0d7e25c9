/** Dense float32 tensor in C order; `data.length` equals the product of `dims`. */
export interface FloatTensor {
  readonly data: Float32Array
  readonly dims: readonly number[]
}

/** Number of elements of a shape (1 for a scalar). */
export function numElements(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1)
}

/** Element types of stored tensors, spelled as in safetensors files. */
export type DType = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL'

/** Bytes of one element of each stored type. */
export const bytesPerElement: Readonly<Record<DType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
}

/** Is `value` the name of an element type that this library stores? */
export function isDType(value: unknown): value is DType {
  return typeof value === 'string' && Object.hasOwn(bytesPerElement, value)
}

/** Element types of ONNX tensors, with the numbers of `TensorProto.DataType`. */
export const onnxDataTypes = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
} as const

export type OnnxDataType = keyof typeof onnxDataTypes

/** A dimension: its size, or a name for a size known only at run time. */
export type OnnxDim = number | string

export interface OnnxValueInfo {
  readonly name: string
  readonly type: OnnxDataType
  readonly dims: readonly OnnxDim[]
}

/** Bytes that lie in another file; `file` is relative to the model's data folder, with `/` between parts. */
export interface OnnxExternalData {
  readonly file: string
  readonly offset: number
  readonly byteLength: number
}

/** A constant tensor: its little-endian bytes inline, or a place in another file. */
export interface OnnxInitializer {
  readonly name: string
  readonly type: OnnxDataType
  readonly dims: readonly number[]
  readonly data: Uint8Array | OnnxExternalData
}

/** Attribute value; a number is written as an INT unless it is wrapped by `float()`. */
export type OnnxAttribute = number | string | readonly number[] | { readonly float: number }

export interface OnnxNode {
  readonly opType: string
  readonly domain: string
  readonly name: string
  /** Empty string marks an optional input left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Readonly<Record<string, OnnxAttribute>>
}

/** The part of ONNX's ModelProto that this library writes. */
export interface OnnxModel {
  readonly name: string
  readonly opsets: Readonly<Record<string, number>>
  readonly inputs: readonly OnnxValueInfo[]
  readonly outputs: readonly OnnxValueInfo[]
  readonly initializers: readonly OnnxInitializer[]
  /** In execution order. */
  readonly nodes: readonly OnnxNode[]
}

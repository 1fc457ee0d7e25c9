import { float32ToBfloat16 } from '../../../src/core/bfloat16.js'
import { float32ToFloat16 } from '../../../src/core/float16.js'
import { BLOCK_SIZE, type GridRows } from './grid-matrix.js'

/** bfloat16 codes, as a checkpoint stores weights. */
export function toBfloat16({ codes, scales }: GridRows): Uint16Array {
  const values = new Float32Array(codes.length)
  for (let i = 0; i < codes.length; i++) values[i] = codes[i]! * scales[i >> 5]!
  return float32ToBfloat16(values)
}

/**
 * GGUF's Q4_0: a float16 scale and 16 bytes for a block, the weights of its first half in the low nibbles.
 *
 * @see ggml-org/ggml `ggml-quants.c`, `quantize_row_q4_0_ref`
 */
export function toQ4_0({ codes, scales }: GridRows): Uint8Array {
  const halfScales = float32ToFloat16(scales)
  const bytes = new Uint8Array(scales.length * 18)
  for (let block = 0, at = 0; block < scales.length; block++) {
    const start = block * BLOCK_SIZE
    bytes[at++] = halfScales[block]! & 255
    bytes[at++] = halfScales[block]! >> 8
    for (let i = 0; i < 16; i++) bytes[at++] = (codes[start + i]! + 8) | ((codes[start + i + 16]! + 8) << 4)
  }
  return bytes
}

/** GGUF's Q8_0: a float16 scale and 32 signed bytes for a block. */
export function toQ8_0({ codes, scales }: GridRows): Uint8Array {
  const halfScales = float32ToFloat16(scales)
  const bytes = new Uint8Array(scales.length * 34)
  for (let block = 0, at = 0; block < scales.length; block++) {
    const start = block * BLOCK_SIZE
    bytes[at++] = halfScales[block]! & 255
    bytes[at++] = halfScales[block]! >> 8
    for (let i = 0; i < BLOCK_SIZE; i++) bytes[at++] = codes[start + i]!
  }
  return bytes
}

/** Codes of ONNX Runtime's `MatMulNBits` with 4 bits and no zero points: neighbours in one byte, the first one low. */
export function toNibbles({ codes }: GridRows): Uint8Array {
  const bytes = new Uint8Array(codes.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = (codes[2 * i]! + 8) | ((codes[2 * i + 1]! + 8) << 4)
  return bytes
}

/** Codes of ONNX Runtime's `MatMulNBits` with 8 bits and no zero points. */
export function toBytes({ codes }: GridRows): Uint8Array {
  const bytes = new Uint8Array(codes.length)
  for (let i = 0; i < bytes.length; i++) bytes[i] = codes[i]! + 128
  return bytes
}

import { encodeModel } from '../../src/formats/onnx/encode-model.js'
import type { OnnxModel } from '../../src/formats/onnx/onnx-model.js'

const NUM_ROWS = 64
const WIDTH = 64
const NUM_OUTPUTS = 32
const BLOCK = 32

/** Codes of 4 bits, two a byte, in a pattern that no two rows share. */
const codes = Uint8Array.from({ length: (NUM_OUTPUTS * WIDTH) / 2 }, (_, i) => (i * 7 + (i >> 4)) & 255)
const scales = Float32Array.from({ length: (NUM_OUTPUTS * WIDTH) / BLOCK }, (_, i) => (1 + (i % 8)) / 64)

const common = { domain: 'com.microsoft', attributes: {} } as const

/** One attention and one product with weights in blocks, of x float32 [1, 64, 64]. */
const model: OnnxModel = {
  name: 'self-check',
  opsets: { '': 21, 'com.microsoft': 1 },
  inputs: [{ name: 'x', type: 'float32', dims: [1, NUM_ROWS, WIDTH] }],
  outputs: [
    { name: 'attention', type: 'float32', dims: [1, NUM_ROWS, WIDTH] },
    { name: 'product', type: 'float32', dims: [1, NUM_ROWS, NUM_OUTPUTS] },
  ],
  initializers: [
    { name: 'codes', type: 'uint8', dims: [NUM_OUTPUTS, WIDTH / BLOCK, BLOCK / 2], data: codes },
    { name: 'scales', type: 'float32', dims: [scales.length], data: new Uint8Array(scales.buffer) },
  ],
  nodes: [
    {
      ...common,
      opType: 'MultiHeadAttention',
      name: 'attention',
      inputs: ['x', 'x', 'x'],
      outputs: ['attention'],
      attributes: { num_heads: 4 },
    },
    {
      ...common,
      opType: 'MatMulNBits',
      name: 'product',
      inputs: ['x', 'codes', 'scales'],
      outputs: ['product'],
      attributes: { K: WIDTH, N: NUM_OUTPUTS, bits: 4, block_size: BLOCK, accuracy_level: 0 },
    },
  ],
}

/** The model that `src/backend/web/self-check-graph.ts` holds. */
export const selfCheckModel: Uint8Array = encodeModel(model)

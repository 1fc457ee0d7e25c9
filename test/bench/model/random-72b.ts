import { numElements } from '../../../src/core/tensor.js'
import type { StoredTensor } from '../../support/write-safetensors.js'
import { randomWords, seedOf } from './grid-matrix.js'

/** Channels of the heads of NVLM-D's vision tower that carry weight, and of all that are stored. */
const HEADS = { real: 3200, padded: 4096 }

/**
 * A tensor of NVLM-D-72B with random data, which is made when it is written and not kept. Norms and scales are about one,
 * matrices keep the size of what they multiply; the padding heads of the vision tower are zero, as in the published file.
 */
export function withRandomData(tensor: StoredTensor): StoredTensor {
  return {
    ...tensor,
    get data() {
      const values = tensor.dtype === 'F32' ? randomFloats(tensor) : randomHalves(tensor)
      if (values instanceof Float32Array) clearPaddingHeads(tensor, values)
      return values
    },
  }
}

/** The 256 values that elements of a tensor have. */
function valuesOf({ name, shape }: StoredTensor): Float32Array {
  const isScale = shape.length === 1 && name.endsWith('.weight')
  const columns = numElements(shape.slice(1))
  const spread = isScale ? 0.1 : shape.length === 1 ? 0.02 : 1.7 / Math.sqrt(columns)
  return Float32Array.from({ length: 256 }, (_, i) => (isScale ? 1 : 0) + spread * (i / 127.5 - 1))
}

function randomFloats(tensor: StoredTensor): Float32Array {
  const table = valuesOf(tensor)
  return fill(new Float32Array(numElements(tensor.shape)), table, tensor.name)
}

/** bfloat16 by cutting. */
function randomHalves(tensor: StoredTensor): Uint16Array {
  const halves = new Uint16Array(valuesOf(tensor).buffer)
  const table = Uint16Array.from({ length: 256 }, (_, i) => halves[2 * i + 1]!)
  return fill(new Uint16Array(numElements(tensor.shape)), table, tensor.name)
}

function fill<Values extends Float32Array | Uint16Array>(
  target: Values,
  table: Values,
  name: string,
): Values {
  const words = randomWords(seedOf(name), 0)
  for (let i = 0; i < target.length; i += 4) {
    const word = words()
    for (let byte = 0; byte < 4 && i + byte < target.length; byte++) {
      target[i + byte] = table[(word >>> (8 * byte)) & 255]!
    }
  }
  return target
}

function clearPaddingHeads({ name, shape }: StoredTensor, values: Float32Array): void {
  const [rows = 0, columns = 0] = shape
  const { real, padded } = HEADS
  if (name.endsWith('attn.qkv.weight')) {
    for (let row = 0; row < rows; row++) {
      if (row % padded >= real) values.fill(0, row * columns, (row + 1) * columns)
    }
  }
  if (name.endsWith('attn.proj.weight')) {
    for (let row = 0; row < rows; row++) values.fill(0, row * columns + real, (row + 1) * columns)
  }
}

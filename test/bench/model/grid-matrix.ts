/** Weights that share a scale, in a row. */
export const BLOCK_SIZE = 32

/**
 * A random matrix of small integers times a scale for each block of 32: every format of the benchmark stores it without an
 * error, so that all contestants compute the same function.
 */
export interface GridMatrix {
  readonly rows: number
  readonly columns: number
  /** 4: codes -8 … 7; 8: codes -127 … 127. */
  readonly bits: 4 | 8
  /** Power of two; a block's scale is this times 1 … 31/16 (4 bits) or this alone (8 bits). */
  readonly scale: number
  readonly seed: number
  /** The row of random numbers that row `row` takes; default: each its own. */
  readonly sourceRow?: ((row: number) => number) | undefined
}

/** Some rows: a code for each weight and a scale for each block. */
export interface GridRows {
  readonly codes: Int8Array
  readonly scales: Float32Array
}

/** Standard deviation of the weights, for a scale of 1. */
const SPREAD = { 4: 4.61 * 1.47, 8: 73.6 }

/** The power of two that gives weights of about this standard deviation. */
export function scaleFor(bits: 4 | 8, deviation: number): number {
  return 2 ** Math.round(Math.log2(deviation / SPREAD[bits]))
}

/** The rows [first, first + count). */
export function gridRows(matrix: GridMatrix, first: number, count: number): GridRows {
  const { columns, bits, sourceRow = row => row } = matrix
  const codes = new Int8Array(count * columns)
  const scales = new Float32Array((count * columns) / BLOCK_SIZE)
  const fill = bits === 4 ? fillFourBits : fillEightBits
  for (let row = 0; row < count; row++) {
    const words = randomWords(matrix.seed, sourceRow(first + row))
    fill(codes, scales, row * columns, columns, matrix.scale, words)
  }
  return { codes, scales }
}

/** Every block has both ends of the range, by which a quantiser finds exactly these scales. */
function fillFourBits(
  codes: Int8Array,
  scales: Float32Array,
  start: number,
  columns: number,
  scale: number,
  words: () => number,
): void {
  for (let i = start; i < start + columns; i += BLOCK_SIZE) {
    for (let word = 0; word < BLOCK_SIZE; word += 8) {
      let bits = words()
      for (let nibble = 0; nibble < 8; nibble++, bits >>>= 4) codes[i + word + nibble] = (bits & 15) - 8
    }
    const choice = words()
    scales[i / BLOCK_SIZE] = scale * (1 + (choice & 15) / 16)
    const low = (choice >>> 4) & 31
    codes[i + low] = -8
    codes[i + ((low + 1 + ((choice >>> 9) & 15)) & 31)] = 7
  }
}

function fillEightBits(
  codes: Int8Array,
  scales: Float32Array,
  start: number,
  columns: number,
  scale: number,
  words: () => number,
): void {
  for (let i = start; i < start + columns; i += BLOCK_SIZE) {
    for (let word = 0; word < BLOCK_SIZE; word += 4) {
      const bits = words()
      for (let byte = 0; byte < 4; byte++) {
        codes[i + word + byte] = Math.max(-127, (bits << (24 - 8 * byte)) >> 24)
      }
    }
    codes[i + (words() & 31)] = 127
    scales[i / BLOCK_SIZE] = scale
  }
}

/** xorshift32, begun anew for each row so that rows can be made in any order. */
export function randomWords(seed: number, row: number): () => number {
  let state = Math.imul(seed ^ Math.imul(row + 1, 0x9e3779b1), 0x85ebca6b) | 1
  const next = () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  for (let i = 0; i < 4; i++) next()
  return next
}

/** A seed from a tensor's name. */
export function seedOf(name: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

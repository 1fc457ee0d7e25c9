import {
  BLOCK_SIZE,
  type BlockDType,
  type BlockRows,
  blockFormats,
  blockRowBytes,
} from '../../src/formats/blocks/block-format.js'
import { type Rounding, roundings } from '../../src/formats/blocks/rounding.js'

const { fround } = Math

/** Scale and zero point of a block whose values were multiplied by `factor`; the scale is that of the true values. */
interface Grid {
  readonly factor: number
  readonly scale: number
  readonly zeroPoint: number
}

/**
 * Round rows of weights to a block format, in plain JavaScript: what the WebAssembly code must give, bit for bit.
 *
 * @param values - float32 [rows, columns], all finite
 */
export function quantizeRows(
  dtype: BlockDType,
  values: Float32Array,
  rows: number,
  columns: number,
  rounding: Rounding = roundings.search,
): BlockRows {
  const target = emptyBlockRows(dtype, rows, columns)
  const { bits, hasZeroPoints, isRowWise } = blockFormats[dtype]
  const blockSize = isRowWise ? columns : BLOCK_SIZE
  const bytes = blockRowBytes(dtype, columns)
  const find = bits === 4 ? findAsymmetricGrid : findSymmetricGrid
  for (let row = 0; row < rows; row++) {
    for (let index = 0; index < bytes.numBlocks; index++) {
      const block = new Float32Array(blockSize)
      const end = Math.min((index + 1) * blockSize, columns)
      block.set(values.subarray(row * columns + index * blockSize, row * columns + end))
      const grid = find(block, rounding.steps[dtype], rounding.fitsScale)
      target.scales[row * bytes.numBlocks + index] = grid.scale
      if (hasZeroPoints) {
        target.zeroPoints[row * bytes.zeroPoints + (index >> 1)]! |= grid.zeroPoint << (index & 1 ? 4 : 0)
      }
      const codes = codesOf(block, grid, bits === 4 ? [0, 15] : [1, 255])
      const start = row * bytes.codes + (index * blockSize * bits) / 8
      if (bits === 8) target.codes.set(codes, start)
      else for (const [i, code] of codes.entries()) target.codes[start + (i >> 1)]! |= code << (i & 1 ? 4 : 0)
    }
  }
  return target
}

/** 4 bits with a zero point: codes 0 to 15. */
function findAsymmetricGrid(block: Float32Array, steps: readonly number[], fitsScale: boolean): Grid {
  const least = Math.min(0, ...block)
  const trueRange = Math.max(0, ...block) - least
  if (trueRange === 0) return { factor: 1, scale: 0, zeroPoint: 8 }
  const factor = scaleBlock(block, trueRange)
  const min = least * factor
  const range = trueRange * factor
  // the squared error of codes q with the fitted scale is Σx² - (Σxq)² / Σq²: the greatest gain is the least error
  let best = { product: 0, square: 1, scale: 0, zeroPoint: 8 }
  for (const tried of steps) {
    const inverse = tried * (1 / range)
    const zeroPoint = Math.min(15, Math.max(0, Math.floor(0.5 - min * inverse)))
    const codes = Array.from(block, value => codeOf(value, fround(inverse), zeroPoint, [0, 15]) - zeroPoint)
    const product = sum(block, codes)
    const square = sum(codes, codes)
    if (product * product * best.square > best.product * best.product * square) {
      best = { product, square, scale: fitsScale ? product / square : range / tried, zeroPoint }
    }
  }
  return { factor, scale: fround(best.scale / factor), zeroPoint: best.zeroPoint }
}

/** 8 bits around 128: codes 1 to 255. */
function findSymmetricGrid(block: Float32Array, steps: readonly number[], fitsScale: boolean): Grid {
  const trueLargest = Math.max(...block.map(Math.abs))
  if (trueLargest === 0) return { factor: 1, scale: 0, zeroPoint: 128 }
  const factor = scaleBlock(block, trueLargest)
  const largest = trueLargest * factor
  const inverse = fround(steps[0]! / largest)
  const codes = Array.from(block, value => codeOf(value, inverse, 128, [1, 255]) - 128)
  const scale = fitsScale ? sum(block, codes) / sum(codes, codes) : largest / steps[0]!
  return { factor, scale: fround(scale / factor), zeroPoint: 128 }
}

/** Multiply a very large or very small block by a power of two, so that float32 holds its sums; gives that power. */
function scaleBlock(block: Float32Array, size: number): number {
  const factor = size < 2 ** -60 ? 2 ** 100 : size > 2 ** 60 ? 2 ** -70 : 1
  for (const [i, value] of block.entries()) block[i] = value * factor
  return factor
}

function codesOf(block: Float32Array, { factor, scale, zeroPoint }: Grid, bounds: Bounds): readonly number[] {
  // a scale too small for float32 is 0: the block is then all zero, as near as float32 comes
  const inverse = scale === 0 ? 0 : fround(1 / (scale * factor))
  return Array.from(block, value => codeOf(value, inverse, zeroPoint, bounds))
}

type Bounds = readonly [least: number, most: number]

/** The whole number nearest to value * inverse + zeroPoint in float32, ties to even, within bounds. */
function codeOf(value: number, inverse: number, zeroPoint: number, [least, most]: Bounds): number {
  // from 2^23 on float32 holds whole numbers only, so that the addition rounds
  const moved = fround(fround(value * inverse) + (2 ** 23 + zeroPoint)) - 2 ** 23
  return Math.min(most, Math.max(least, moved))
}

/** Σ a * b: every fourth pair in float32, then the four sums in float64. */
function sum(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const lanes = new Float32Array(4)
  for (let i = 0; i < a.length; i++) lanes[i % 4] = lanes[i % 4]! + fround(a[i]! * b[i]!)
  return lanes[0]! + lanes[1]! + (lanes[2]! + lanes[3]!)
}

/** Room for some rows. */
function emptyBlockRows(dtype: BlockDType, rows: number, columns: number): BlockRows {
  const bytes = blockRowBytes(dtype, columns)
  return {
    codes: new Uint8Array(rows * bytes.codes),
    scales: new Float32Array(rows * bytes.numBlocks),
    zeroPoints: new Uint8Array(rows * bytes.zeroPoints),
  }
}

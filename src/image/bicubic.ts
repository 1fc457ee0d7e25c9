import type { RgbImage } from '../platform/platform.js'
import { type ResampleTable, resampleTable, WEIGHT_BITS } from './resample-table.js'

/** One half in fixed point: the sums start here so that the final shift rounds. */
const HALF = 1 << (WEIGHT_BITS - 1)

/** Multiplications between two pauses of `resizeBicubicSteps`: a few milliseconds of work. */
const STEP_WORK = 4_000_000

/**
 * Resize with Pillow's bicubic filter, bit for bit: `Image.resize((width, height), Image.BICUBIC)` of an RGB image.
 *
 * The horizontal pass comes first and is rounded to 8 bits; a pass whose size does not change is skipped.
 * If neither changes, the image itself comes back.
 */
export function resizeBicubic(image: RgbImage, width: number, height: number): RgbImage {
  const steps = resizeBicubicSteps(image, width, height)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}

/** The same resize in steps of a few milliseconds, for callers that want to breathe or to stop in between. */
export function* resizeBicubicSteps(
  image: RgbImage,
  width: number,
  height: number,
): Generator<undefined, RgbImage, undefined> {
  const wide = image.width === width ? image : yield* resizeColumns(image, width)
  return wide.height === height ? wide : yield* resizeRows(wide, height)
}

function* resizeColumns(image: RgbImage, width: number): Generator<undefined, RgbImage, undefined> {
  const { height, data } = image
  const table = resampleTable(image.width, width)
  const target = new Uint8ClampedArray(width * height * 3)
  const sourceStride = image.width * 3
  const targetStride = width * 3
  const stepRows = rowsPerStep(targetStride * table.taps)
  for (let y = 0; y < height; y += 2) {
    // the last row of an odd height is its own partner
    const partner = Math.min(y + 1, height - 1)
    filterRowPair(
      data,
      y * sourceStride,
      partner * sourceStride,
      target,
      y * targetStride,
      partner * targetStride,
      table,
    )
    if ((y + 2) % stepRows === 0) yield
  }
  return { width, height, data: new Uint8Array(target.buffer) }
}

function* resizeRows(image: RgbImage, height: number): Generator<undefined, RgbImage, undefined> {
  const { width, data } = image
  const table = resampleTable(image.height, height)
  const stride = width * 3
  const target = new Uint8ClampedArray(stride * height)
  const stepRows = rowsPerStep(stride * table.taps)
  for (let y = 0; y < height; y++) {
    filterColumns(data, table.starts[y]! * stride, stride, target, y * stride, table, y)
    if ((y + 1) % stepRows === 0) yield
  }
  return { width, height, data: new Uint8Array(target.buffer) }
}

/** An even number of rows that makes about `STEP_WORK` multiplications. */
function rowsPerStep(workPerRow: number): number {
  return Math.max(2, 2 * Math.floor(STEP_WORK / workPerRow / 2))
}

/**
 * Filter two rows at once, so that each weight is loaded once for six channels.
 *
 * `target` clamps to 0..255 as it stores. The sums stay below 2^31: weights add up to 1, or 1.3 without their signs.
 */
function filterRowPair(
  source: Uint8Array,
  sourceRow: number,
  sourcePartner: number,
  target: Uint8ClampedArray,
  targetRow: number,
  targetPartner: number,
  { starts, weights, taps }: ResampleTable,
): void {
  const pairs = taps - (taps & 1)
  let k = 0
  for (let x = 0; x < starts.length; x++) {
    let p = sourceRow + starts[x]! * 3
    let q = sourcePartner + starts[x]! * 3
    let r0 = HALF
    let g0 = HALF
    let b0 = HALF
    let r1 = HALF
    let g1 = HALF
    let b1 = HALF
    for (const end = k + pairs; k < end; k += 2) {
      const v = weights[k]!
      const w = weights[k + 1]!
      r0 += Math.imul(v, source[p]!) + Math.imul(w, source[p + 3]!)
      g0 += Math.imul(v, source[p + 1]!) + Math.imul(w, source[p + 4]!)
      b0 += Math.imul(v, source[p + 2]!) + Math.imul(w, source[p + 5]!)
      r1 += Math.imul(v, source[q]!) + Math.imul(w, source[q + 3]!)
      g1 += Math.imul(v, source[q + 1]!) + Math.imul(w, source[q + 4]!)
      b1 += Math.imul(v, source[q + 2]!) + Math.imul(w, source[q + 5]!)
      p += 6
      q += 6
    }
    if (pairs < taps) {
      const w = weights[k++]!
      r0 += Math.imul(w, source[p]!)
      g0 += Math.imul(w, source[p + 1]!)
      b0 += Math.imul(w, source[p + 2]!)
      r1 += Math.imul(w, source[q]!)
      g1 += Math.imul(w, source[q + 1]!)
      b1 += Math.imul(w, source[q + 2]!)
    }
    target[targetRow++] = r0 >> WEIGHT_BITS
    target[targetRow++] = g0 >> WEIGHT_BITS
    target[targetRow++] = b0 >> WEIGHT_BITS
    target[targetPartner++] = r1 >> WEIGHT_BITS
    target[targetPartner++] = g1 >> WEIGHT_BITS
    target[targetPartner++] = b1 >> WEIGHT_BITS
  }
}

/** Filter one output row out of `taps` input rows that begin at `source[first]`. */
function filterColumns(
  source: Uint8Array,
  first: number,
  stride: number,
  target: Uint8ClampedArray,
  targetRow: number,
  { weights, taps }: ResampleTable,
  y: number,
): void {
  const pairs = taps - (taps & 1)
  for (let x = 0; x < stride; x += 3) {
    let p = first + x
    let k = y * taps
    let r = HALF
    let g = HALF
    let b = HALF
    for (const end = k + pairs; k < end; k += 2) {
      const q = p + stride
      const v = weights[k]!
      const w = weights[k + 1]!
      r += Math.imul(v, source[p]!) + Math.imul(w, source[q]!)
      g += Math.imul(v, source[p + 1]!) + Math.imul(w, source[q + 1]!)
      b += Math.imul(v, source[p + 2]!) + Math.imul(w, source[q + 2]!)
      p = q + stride
    }
    if (pairs < taps) {
      const w = weights[k]!
      r += Math.imul(w, source[p]!)
      g += Math.imul(w, source[p + 1]!)
      b += Math.imul(w, source[p + 2]!)
    }
    target[targetRow++] = r >> WEIGHT_BITS
    target[targetRow++] = g >> WEIGHT_BITS
    target[targetRow++] = b >> WEIGHT_BITS
  }
}

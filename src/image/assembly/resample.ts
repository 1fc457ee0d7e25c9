// AssemblyScript, not TypeScript: `npm run build:wasm` makes ../resample-wasm.ts of it, which resample-memory.ts runs.
// The tests hold every byte to Pillow's algorithm in plain JavaScript.
//
// A weight w has 22 fractional bits: too many for a product of 16-bit numbers. So it is split, w = high * 2^11 + low with
// 0 <= low < 2^11, and |high| < 2^15 as |w| < 2^26. `i32x4.dot_i16x8_s` then adds up pixels times highs and pixels times lows of two
// positions at a time, in 32 bits. All additions are modulo 2^32, as is (sum of highs) * 2^11 + (sum of lows): whatever overflows in
// between, the outcome is the sum of w * pixel modulo 2^32, and that sum itself is below 2^31, for which Pillow leaves two bits of headroom.

/** Fractional bits of a weight. */
const WEIGHT_BITS: i32 = 22

/** Bits of the lower part of a weight. */
const LOW_BITS: i32 = 11

/** One half in fixed point: the sums start here so that the final shift rounds. */
const HALF: i32 = 1 << (WEIGHT_BITS - 1)

/** Bytes of two weights: their high parts, then their low parts, in 16 bits each. */
const WEIGHT_PAIR: usize = 8

/** Bytes of two neighbouring pixels of four rows: a vector for each colour, a lane for each row with both pixels in 16 bits. */
const PIXEL_PAIR: usize = 48

/** Bytes of a vector. */
const VECTOR: usize = 16

/**
 * Widen four rows of RGB bytes, four pixels at a time: pixel pairs as `filterColumns` reads them.
 *
 * Reads up to 4 bytes beyond the last of the `numQuads` pixels of a row.
 *
 * @param target - int16 [2 * numQuads, 3 colours, 4 rows, 2 pixels]
 */
export function pairColumns(source: usize, stride: usize, numQuads: i32, target: usize): void {
  const low = i16x8.splat(0xff)
  for (const end = source + <usize>numQuads * 12; source < end; source += 12) {
    const a = spread(v128.load(source))
    const b = spread(v128.load(source + stride))
    const c = spread(v128.load(source + 2 * stride))
    const d = spread(v128.load(source + 3 * stride))
    const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5)
    const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5)
    const red = v128.shuffle<i64>(ab, cd, 0, 2)
    const green = v128.shuffle<i64>(ab, cd, 1, 3)
    const blue = v128.shuffle<i64>(
      v128.shuffle<i32>(a, b, 2, 6, 3, 7),
      v128.shuffle<i32>(c, d, 2, 6, 3, 7),
      0,
      2,
    )
    v128.store(target, v128.and(red, low))
    v128.store(target, v128.and(green, low), 16)
    v128.store(target, v128.and(blue, low), 32)
    v128.store(target, v128.shr<u16>(red, 8), 48)
    v128.store(target, v128.shr<u16>(green, 8), 64)
    v128.store(target, v128.shr<u16>(blue, 8), 80)
    target += 2 * PIXEL_PAIR
  }
}

/** Four RGB pixels as a lane for each colour: pixels 0, 2, 1, 3, so that the even bytes are a pair, and the odd ones. */
function spread(pixels: v128): v128 {
  return v128.shuffle<u8>(pixels, pixels, 0, 6, 3, 9, 1, 7, 4, 10, 2, 8, 5, 11, 2, 8, 5, 11)
}

/**
 * Filter four rows from left to right, and write them as two pairs of rows as `filterRows` reads them.
 *
 * Writes up to 4 bytes beyond both.
 *
 * @param pairs - what `pairColumns` wrote
 * @param starts - int32 [numColumns]: of each output pixel, the first byte behind `pairs`
 * @param weights - int16 [numColumns, numPairs, 2 parts, 2 pixels]
 * @param upper - int16 [numColumns, 3 colours, 2 rows]: the first two rows, written
 * @param lower - the other two rows, written
 */
export function filterColumns(
  pairs: usize,
  starts: usize,
  weights: usize,
  numPairs: i32,
  numColumns: i32,
  upper: usize,
  lower: usize,
): void {
  const weightBytes = <usize>numPairs * WEIGHT_PAIR
  for (const end = starts + ((<usize>numColumns) << 2); starts < end; starts += 4) {
    let at = pairs + load<u32>(starts)
    let redHigh = i32x4.splat(0)
    let greenHigh = i32x4.splat(0)
    let blueHigh = i32x4.splat(0)
    let redLow = i32x4.splat(HALF)
    let greenLow = i32x4.splat(HALF)
    let blueLow = i32x4.splat(HALF)
    const last = weights + weightBytes
    do {
      const high = v128.load32_splat(weights)
      const low = v128.load32_splat(weights, 4)
      const red = v128.load(at)
      const green = v128.load(at, 16)
      const blue = v128.load(at, 32)
      redHigh = i32x4.add(redHigh, i32x4.dot_i16x8_s(red, high))
      greenHigh = i32x4.add(greenHigh, i32x4.dot_i16x8_s(green, high))
      blueHigh = i32x4.add(blueHigh, i32x4.dot_i16x8_s(blue, high))
      redLow = i32x4.add(redLow, i32x4.dot_i16x8_s(red, low))
      greenLow = i32x4.add(greenLow, i32x4.dot_i16x8_s(green, low))
      blueLow = i32x4.add(blueLow, i32x4.dot_i16x8_s(blue, low))
      at += PIXEL_PAIR
      weights += WEIGHT_PAIR
    } while (weights < last)
    const blue = wholeOf(blueHigh, blueLow)
    const redGreen = v128.narrow<i32>(wholeOf(redHigh, redLow), wholeOf(greenHigh, greenLow))
    // bytes, clamped: four of red, of green, of blue; then in 16 bits again
    const bytes = v128.narrow<u16>(redGreen, v128.narrow<i32>(blue, blue))
    const wide = v128.extend_low<u8>(bytes)
    const wideBlue = v128.extend_high<u8>(bytes)
    v128.store(upper, v128.shuffle<i32>(wide, wideBlue, 0, 2, 4, 4))
    v128.store(lower, v128.shuffle<i32>(wide, wideBlue, 1, 3, 5, 5))
    upper += 12
    lower += 12
  }
}

/** The rounded sums of products with whole weights. */
function wholeOf(high: v128, low: v128): v128 {
  return v128.shr<i32>(i32x4.add(v128.shl<i32>(high, LOW_BITS), low), WEIGHT_BITS)
}

/**
 * Filter one output row out of pairs of rows that lie in a ring.
 *
 * Reads up to 60 bytes beyond a pair of rows, and writes up to 15 beyond the output.
 *
 * @param ring - the first pair, as `filterColumns` writes them; the others follow after `stride` bytes each
 * @param ringEnd - behind the last pair; the first comes after it
 * @param start - the pair that gets the first weights
 * @param weights - int16 [numPairs, 2 parts, 2 rows]
 * @param target - uint8 [numBytes], written
 */
export function filterRows(
  ring: usize,
  ringEnd: usize,
  stride: usize,
  start: usize,
  weights: usize,
  numPairs: i32,
  numBytes: i32,
  target: usize,
): void {
  const last = weights + <usize>numPairs * WEIGHT_PAIR
  const ringBytes = ringEnd - ring
  for (const end = target + <usize>numBytes; target < end; target += VECTOR) {
    let at = start
    let high0 = i32x4.splat(0)
    let high1 = i32x4.splat(0)
    let high2 = i32x4.splat(0)
    let high3 = i32x4.splat(0)
    let low0 = i32x4.splat(HALF)
    let low1 = i32x4.splat(HALF)
    let low2 = i32x4.splat(HALF)
    let low3 = i32x4.splat(HALF)
    let weight = weights
    do {
      const high = v128.load32_splat(weight)
      const low = v128.load32_splat(weight, 4)
      const p0 = v128.load(at)
      const p1 = v128.load(at, 16)
      const p2 = v128.load(at, 32)
      const p3 = v128.load(at, 48)
      high0 = i32x4.add(high0, i32x4.dot_i16x8_s(p0, high))
      high1 = i32x4.add(high1, i32x4.dot_i16x8_s(p1, high))
      high2 = i32x4.add(high2, i32x4.dot_i16x8_s(p2, high))
      high3 = i32x4.add(high3, i32x4.dot_i16x8_s(p3, high))
      low0 = i32x4.add(low0, i32x4.dot_i16x8_s(p0, low))
      low1 = i32x4.add(low1, i32x4.dot_i16x8_s(p1, low))
      low2 = i32x4.add(low2, i32x4.dot_i16x8_s(p2, low))
      low3 = i32x4.add(low3, i32x4.dot_i16x8_s(p3, low))
      at += stride
      if (at >= ringEnd) at -= ringBytes
      weight += WEIGHT_PAIR
    } while (weight < last)
    v128.store(
      target,
      v128.narrow<u16>(
        v128.narrow<i32>(wholeOf(high0, low0), wholeOf(high1, low1)),
        v128.narrow<i32>(wholeOf(high2, low2), wholeOf(high3, low3)),
      ),
    )
    start += 64
    // the place of the first pair moves on with the columns, and the ring with it
    ringEnd += 64
  }
}

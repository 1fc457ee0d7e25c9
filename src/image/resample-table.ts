/** Fractional bits of a weight: 32 minus 8 for the pixel minus 2 of headroom (Pillow's PRECISION_BITS). */
export const WEIGHT_BITS = 22

/** Pillow's bicubic coefficient. */
const A = -0.5

/** Half the width of the bicubic kernel. */
const SUPPORT = 2

/** What every output position of one axis takes from the input. */
export interface ResampleTable {
  /** First input position of each output position; `starts[i] + taps` never passes the input's end. */
  readonly starts: Int32Array
  /** Int32 [outSize, taps]: weights with `WEIGHT_BITS` fractional bits; positions outside the kernel have weight 0. */
  readonly weights: Int32Array
  /** Number of input positions per output position: the same for all, so that inner loops have one length. */
  readonly taps: number
}

/**
 * Weights of Pillow's antialiased bicubic filter along one axis.
 *
 * Every step is in float64 in Pillow's order, because the rounding to fixed point must come out the same.
 *
 * @see Pillow 9.4 `src/libImaging/Resample.c`, `precompute_coeffs` and `normalize_coeffs_8bpc`
 */
export function resampleTable(inSize: number, outSize: number): ResampleTable {
  const scale = inSize / outSize
  const filterScale = Math.max(scale, 1)
  const spans = Array.from({ length: outSize }, (_, i) => spanOf(i, scale, SUPPORT * filterScale, inSize))
  const taps = spans.reduce((most, { from, to }) => Math.max(most, to - from), 0)
  const starts = new Int32Array(outSize)
  const weights = new Int32Array(outSize * taps)
  spans.forEach(({ center, from, to }, i) => {
    const start = Math.min(from, inSize - taps)
    starts[i] = start
    weights.set(fixedPointWeights(center, from, to, 1 / filterScale), i * taps + from - start)
  })
  return { starts, weights, taps }
}

function spanOf(i: number, scale: number, support: number, inSize: number) {
  const center = (i + 0.5) * scale
  const from = Math.max(0, Math.trunc(center - support + 0.5))
  const to = Math.min(inSize, Math.trunc(center + support + 0.5))
  return { center, from, to }
}

function fixedPointWeights(center: number, from: number, to: number, step: number): number[] {
  const raw = Array.from({ length: to - from }, (_, x) => bicubic((x + from - center + 0.5) * step))
  const sum = raw.reduce((total, weight) => total + weight, 0)
  return raw.map(weight => roundAwayFromZero((sum === 0 ? weight : weight / sum) * 2 ** WEIGHT_BITS))
}

function roundAwayFromZero(value: number): number {
  return Math.trunc(value < 0 ? value - 0.5 : value + 0.5)
}

function bicubic(x: number): number {
  x = Math.abs(x)
  if (x < 1) return ((A + 2) * x - (A + 3)) * x * x + 1
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * A
  return 0
}

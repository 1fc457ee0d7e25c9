/** Fractional bits of a weight: 32 minus 8 for the pixel minus 2 of headroom (Pillow's PRECISION_BITS). */
const WEIGHT_BITS = 22

/** Bits of the lower part of a weight, as `assembly/resample.ts` splits it. */
const LOW_BITS = 11

/** Pillow's bicubic coefficient. */
const A = -0.5

/** Half the width of the bicubic kernel. */
const SUPPORT = 2

/** Int16s of a pair of weights: two high parts, then two low ones. */
export const PAIR_LENGTH = 4

/**
 * What every output position of one axis takes from the input, by Pillow's antialiased bicubic filter.
 *
 * Input positions come in pairs: 0 and 1, 2 and 3 … Every output position takes the same number of pairs, so that inner
 * loops have one length; positions outside the kernel have weight 0, and may lie beyond the input's end.
 *
 * Every step is in float64 in Pillow's order, because the rounding to fixed point must come out the same.
 *
 * @see Pillow 9.4 `src/libImaging/Resample.c`, `precompute_coeffs` and `normalize_coeffs_8bpc`
 */
export class ResampleAxis {
  /** Pairs that each output position takes. */
  readonly numPairs: number
  readonly #scale: number
  readonly #filterScale: number
  readonly #raw: Float64Array

  constructor(
    readonly inSize: number,
    readonly outSize: number,
  ) {
    this.#scale = inSize / outSize
    this.#filterScale = Math.max(this.#scale, 1)
    let numPairs = 0
    for (let i = 0; i < outSize; i++) {
      numPairs = Math.max(numPairs, Math.ceil((this.#end(i) - 2 * this.firstPair(i)) / 2))
    }
    this.numPairs = numPairs
    this.#raw = new Float64Array(2 * numPairs)
  }

  /** First pair that an output position takes; never less than that of the position before. */
  firstPair(i: number): number {
    return this.#start(i) >> 1
  }

  /** Write the weights of an output position: int16 [numPairs, 2 parts, 2 positions]; weight = high * 2^11 + low. */
  writeWeights(i: number, target: Int16Array, offset: number): void {
    const raw = this.#raw
    const [from, to] = [this.#start(i), this.#end(i)]
    const center = this.#center(i)
    const step = 1 / this.#filterScale
    let sum = 0
    for (let x = from; x < to; x++) {
      const weight = bicubic((x - center + 0.5) * step)
      raw[x - from] = weight
      sum += weight
    }
    target.fill(0, offset, offset + PAIR_LENGTH * this.numPairs)
    for (let x = from, at = from & 1; x < to; x++, at++) {
      const unit = raw[x - from]!
      const weight = roundAwayFromZero((sum === 0 ? unit : unit / sum) * 2 ** WEIGHT_BITS)
      const place = offset + PAIR_LENGTH * (at >> 1) + (at & 1)
      target[place] = weight >> LOW_BITS
      target[place + 2] = weight & ((1 << LOW_BITS) - 1)
    }
  }

  #center(i: number): number {
    return (i + 0.5) * this.#scale
  }

  #start(i: number): number {
    return Math.max(0, Math.trunc(this.#center(i) - SUPPORT * this.#filterScale + 0.5))
  }

  #end(i: number): number {
    return Math.min(this.inSize, Math.trunc(this.#center(i) + SUPPORT * this.#filterScale + 0.5))
  }
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

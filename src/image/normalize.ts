/** ImageNet mean, RGB. */
const MEAN = [0.485, 0.456, 0.406] as const

/** ImageNet standard deviation, RGB. */
const DEVIATION = [0.229, 0.224, 0.225] as const

/**
 * Normalised value of every 8-bit value: float32 [3, 256], RGB.
 *
 * Each step rounds to float32, as torchvision's `ToTensor` and `Normalize` do.
 */
export const NORMALIZED_VALUES: Float32Array = new Float32Array(3 * 256).map((_, i) => {
  const channel = i >> 8
  const unit = Math.fround((i & 255) / 255)
  const centered = Math.fround(unit - Math.fround(MEAN[channel]!))
  return centered / Math.fround(DEVIATION[channel]!)
})

/** The bits of each value: moved as numbers, they would be widened to float64 and narrowed again. */
const NORMALIZED_BITS = new Uint32Array(NORMALIZED_VALUES.buffer)

/**
 * Write interleaved RGB bytes as normalised values, a plane for each colour.
 *
 * @param rgb - uint8 [n, 3]
 * @param bits - of float32 planes, written
 * @param at - where the first red value goes
 * @param planeSize - from a red value to its green one, and from there to the blue one
 */
export function writeNormalized(rgb: Uint8Array, bits: Uint32Array, at: number, planeSize: number): void {
  for (let p = 0; p < rgb.length; p += 3, at++) {
    bits[at] = NORMALIZED_BITS[rgb[p]!]!
    bits[at + planeSize] = NORMALIZED_BITS[256 + rgb[p + 1]!]!
    bits[at + 2 * planeSize] = NORMALIZED_BITS[512 + rgb[p + 2]!]!
  }
}

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

/**
 * Write interleaved RGB bytes as three normalised planes.
 *
 * @param rgb - uint8 [numPixels, 3]
 * @param planes - float32 [3, numPixels], written
 */
export function normalizePlanes(rgb: Uint8Array, planes: Float32Array): void {
  const numPixels = planes.length / 3
  for (let i = 0, p = 0; i < numPixels; i++, p += 3) {
    planes[i] = NORMALIZED_VALUES[rgb[p]!]!
    planes[numPixels + i] = NORMALIZED_VALUES[256 + rgb[p + 1]!]!
    planes[2 * numPixels + i] = NORMALIZED_VALUES[512 + rgb[p + 2]!]!
  }
}

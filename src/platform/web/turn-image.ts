import type { RgbImage } from '../platform.js'

/** For each orientation: are width and height exchanged, and are columns and rows of the source counted from the end. */
const TURNS: readonly (readonly [swaps: boolean, flipsX: boolean, flipsY: boolean])[] = [
  [false, false, false],
  [false, true, false],
  [false, true, true],
  [false, false, true],
  [true, false, false],
  [true, false, true],
  [true, true, true],
  [true, true, false],
]

/**
 * Turn a picture upright.
 *
 * @param orientation - of EXIF, 1 to 8; 1 gives the picture itself
 */
export function turnImage(image: RgbImage, orientation: number): RgbImage {
  const [swaps, flipsX, flipsY] = TURNS[orientation - 1]!
  if (!swaps && !flipsX && !flipsY) return image
  const { width, height, data } = image
  const [turnedWidth, turnedHeight] = swaps ? [height, width] : [width, height]
  const turned = new Uint8Array(data.length)
  let target = 0
  for (let y = 0; y < turnedHeight; y++) {
    for (let x = 0; x < turnedWidth; x++) {
      const [column, row] = swaps ? [y, x] : [x, y]
      const sourceX = flipsX ? width - 1 - column : column
      const sourceY = flipsY ? height - 1 - row : row
      const source = (sourceY * width + sourceX) * 3
      turned[target++] = data[source]!
      turned[target++] = data[source + 1]!
      turned[target++] = data[source + 2]!
    }
  }
  return { width: turnedWidth, height: turnedHeight, data: turned }
}

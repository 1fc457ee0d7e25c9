import { type Pause, runPaced } from './pacer.js'
import type { RgbImage } from './platform.js'
import { BYTES_OF_PIXEL, PIXELS_OF_STEP, transposePixels } from './transpose-pixels.js'

/** Moves the pixels of a picture to other places of the same memory, in steps of a few milliseconds. */
type Turn = (image: RgbImage) => Generator<undefined, RgbImage, undefined>

/** What makes a picture of each orientation upright, one after the other. @see EXIF 2.32, tag 0x0112 */
const TURNS: readonly (readonly Turn[])[] = [
  [],
  [mirrorRows],
  [mirrorRows, reverseRows],
  [reverseRows],
  [transpose],
  [reverseRows, transpose],
  [reverseRows, transpose, reverseRows],
  [transpose, reverseRows],
]

/**
 * Turn a picture upright in its own memory: a second one of its size is not taken.
 *
 * @param orientation - of EXIF, 1 to 8; other values mean nothing, and give the picture as it is
 * @returns the upright picture, whose data is that of `image`
 */
export async function turnImage(image: RgbImage, orientation: number, pause: Pause): Promise<RgbImage> {
  let turned = image
  for (const turn of TURNS[orientation - 1] ?? []) turned = await runPaced(turn(turned), pause)
  return turned
}

/** Read each row from its end. */
function* mirrorRows(image: RgbImage): ReturnType<Turn> {
  const { width, height, data } = image
  const stride = width * BYTES_OF_PIXEL
  const rowsOfStep = Math.ceil(PIXELS_OF_STEP / width)
  for (let y = 0; y < height; y++) {
    let left = y * stride
    let right = left + stride - BYTES_OF_PIXEL
    for (; left < right; left += BYTES_OF_PIXEL, right -= BYTES_OF_PIXEL) {
      const red = data[left]!
      const green = data[left + 1]!
      const blue = data[left + 2]!
      data[left] = data[right]!
      data[left + 1] = data[right + 1]!
      data[left + 2] = data[right + 2]!
      data[right] = red
      data[right + 1] = green
      data[right + 2] = blue
    }
    if ((y + 1) % rowsOfStep === 0) yield
  }
  return image
}

/** The last row first. */
function* reverseRows(image: RgbImage): ReturnType<Turn> {
  const { width, height, data } = image
  const stride = width * BYTES_OF_PIXEL
  const rowsOfStep = Math.ceil(PIXELS_OF_STEP / width)
  for (let y = 0; y < height >> 1; y++) {
    let upper = y * stride
    let lower = (height - 1 - y) * stride
    for (const end = upper + stride; upper < end; upper++, lower++) {
      const byte = data[upper]!
      data[upper] = data[lower]!
      data[lower] = byte
    }
    if ((y + 1) % rowsOfStep === 0) yield
  }
  return image
}

/** Columns become rows. */
function* transpose({ width, height, data }: RgbImage): ReturnType<Turn> {
  yield* transposePixels(data, width, height)
  return { width: height, height: width, data }
}

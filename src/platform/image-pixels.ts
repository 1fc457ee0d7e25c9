import { NVLMError } from '../core/errors.js'
import type { PixelsLike } from './image-input.js'
import { checkDecodedSize } from './image-limits.js'
import type { ImageLimits, RgbImage } from './platform.js'

/**
 * Raw pixels as RGB: grey is repeated, alpha is dropped, as Pillow's `convert('RGB')` does.
 *
 * RGB bytes are used in place, not copied.
 *
 * @throws {NVLMError} IMAGE_INPUT when the sizes don't fit together, IMAGE_TOO_LARGE
 */
export function rgbFromPixels(pixels: PixelsLike, limits: ImageLimits): RgbImage {
  const { width, height, data } = pixels
  if (!isCount(width) || !isCount(height)) {
    throw new NVLMError(
      'IMAGE_INPUT',
      `raw pixels: width and height must be whole numbers above 0, found ${width} x ${height}`,
    )
  }
  checkDecodedSize('raw pixels', width, height, limits)
  const numPixels = width * height
  const channels = pixels.channels ?? data.length / numPixels
  if ((channels !== 1 && channels !== 3 && channels !== 4) || data.length !== numPixels * channels) {
    const expected = pixels.channels === undefined ? '1, 3 or 4' : `${pixels.channels}`
    throw new NVLMError(
      'IMAGE_INPUT',
      `raw pixels: ${width} x ${height} with ${expected} channels do not have ${data.length} bytes`,
      { hint: 'data is uint8, row-major, without padding; channels is 1, 3 or 4.' },
    )
  }
  return { width, height, data: pickRgb(data, numPixels, channels) }
}

function pickRgb(data: PixelsLike['data'], numPixels: number, channels: number): Uint8Array {
  if (channels === 3) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  const green = channels === 1 ? 0 : 1
  const blue = channels === 1 ? 0 : 2
  const rgb = new Uint8Array(numPixels * 3)
  for (let i = 0, p = 0, o = 0; i < numPixels; i++, p += channels) {
    rgb[o++] = data[p]!
    rgb[o++] = data[p + green]!
    rgb[o++] = data[p + blue]!
  }
  return rgb
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0
}

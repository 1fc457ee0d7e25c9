import { NVLMError } from '../core/errors.js'
import type { ImageLimits } from './platform.js'

/**
 * Refuse an encoded picture by its size in bytes, before it is read.
 *
 * @throws {NVLMError} IMAGE_TOO_LARGE
 */
export function checkEncodedSize(name: string, numBytes: number, { maxBytes }: ImageLimits): void {
  if (numBytes <= maxBytes) return
  throw new NVLMError('IMAGE_TOO_LARGE', `${name}: has ${numBytes} bytes, at most ${maxBytes} are accepted`, {
    hint: 'Make the file smaller, or raise limits.maxBytes.',
  })
}

/** Longest side in pixels: that of JPEG. Resizing a picture of one column and millions of rows would take minutes. */
const MAX_SIDE = 65_535

/**
 * Refuse a picture by its size in pixels, before it is decoded: too many of them, or a side of more than 65535.
 *
 * @throws {NVLMError} IMAGE_TOO_LARGE
 */
export function checkDecodedSize(
  name: string,
  width: number,
  height: number,
  { maxPixels }: ImageLimits,
): void {
  if (Math.max(width, height) > MAX_SIDE) {
    const message = `${name}: is ${width} x ${height} pixels, a side may have ${MAX_SIDE} at most`
    throw new NVLMError('IMAGE_TOO_LARGE', message, {
      hint: 'Cut the picture into pieces, or make it smaller.',
    })
  }
  if (width * height <= maxPixels) return
  const message = `${name}: is ${width} x ${height} pixels, at most ${maxPixels} pixels are accepted`
  throw new NVLMError('IMAGE_TOO_LARGE', message, {
    hint: 'Make the picture smaller, or raise limits.maxPixels.',
  })
}

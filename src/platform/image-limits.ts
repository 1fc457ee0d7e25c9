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

/**
 * Refuse a picture by its size in pixels, before it is decoded.
 *
 * @throws {NVLMError} IMAGE_TOO_LARGE
 */
export function checkDecodedSize(
  name: string,
  width: number,
  height: number,
  { maxPixels }: ImageLimits,
): void {
  if (width * height <= maxPixels) return
  const message = `${name}: is ${width} x ${height} pixels, at most ${maxPixels} pixels are accepted`
  throw new NVLMError('IMAGE_TOO_LARGE', message, {
    hint: 'Make the picture smaller, or raise limits.maxPixels.',
  })
}

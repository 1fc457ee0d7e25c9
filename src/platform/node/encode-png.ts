import type { RgbImage } from '../platform.js'

/** Encode a picture as an 8-bit RGB PNG. */
export async function encodePng({ width, height, data }: RgbImage): Promise<Uint8Array> {
  const { default: sharp } = await import('sharp')
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer()
}

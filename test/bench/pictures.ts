import sharp from 'sharp'
import { randomWords } from './model/grid-matrix.js'

/**
 * A picture like a photo as far as work goes: slopes of colour, edges and noise.
 *
 * @returns JPEG
 */
export async function syntheticPhoto(width: number, height: number, seed = 1): Promise<Buffer> {
  const pixels = new Uint8Array(width * height * 3)
  const words = randomWords(seed, 0)
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const noise = words() & 15
      const isEdge = ((x >> 7) + (y >> 6)) % 5 === 0
      pixels[at++] = ((x * 200) / width + noise) & 255
      pixels[at++] = ((y * 200) / height + noise + (isEdge ? 40 : 0)) & 255
      pixels[at++] = isEdge ? 60 + noise : 180 + noise
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer()
}

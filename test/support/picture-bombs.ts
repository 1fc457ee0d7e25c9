import sharp, { type JpegOptions, type PngOptions } from 'sharp'
import { crc32 } from '../../src/nvlm/crc32.js'

/** A picture file whose header promises far more than it holds. */
export interface PictureBomb {
  readonly name: string
  readonly bytes: Uint8Array
}

const SIDE = 16

const picture = (channels: 3 | 4 = 3) =>
  sharp({ create: { width: SIDE, height: SIDE, channels, background: '#204060' } })

/** Twelve kinds whose pixels, or the memory to decode them, are beyond the default limits. */
export async function pictureBombs(): Promise<readonly PictureBomb[]> {
  const jpeg = async (options: JpegOptions, side: number, image = picture()) =>
    withJpegSize(await image.jpeg(options).toBuffer(), side)
  const png = async (side: number, options: PngOptions = {}, image = picture()) =>
    withPngSize(await image.png(options).toBuffer(), side)
  const files: Readonly<Record<string, Uint8Array>> = {
    'png-900-megapixels.png': await png(30_000),
    'png-largest.png': await png(1_000_000),
    'png-palette.png': await png(20_000, { palette: true }),
    'png-interlaced.png': await png(7_000, { progressive: true }),
    'png-interlaced-16-bit.png': await png(5_000, { progressive: true }, picture(4).toColourspace('rgb16')),
    'png-16-bit-grey.png': await png(8_000, {}, picture().toColourspace('grey16')),
    'jpeg-largest.jpg': await jpeg({}, 65_500),
    'jpeg-progressive.jpg': await jpeg({ progressive: true, chromaSubsampling: '4:4:4' }, 6_000),
    'jpeg-progressive-420.jpg': await jpeg({ progressive: true }, 8_000),
    'jpeg-cmyk.jpg': await jpeg({ progressive: true }, 6_000, picture().toColourspace('cmyk')),
    'webp.webp': withWebpSize(await picture().webp({ quality: 50 }).toBuffer(), 7_000),
    'gif.gif': withGifSize(await picture().gif().toBuffer(), 8_000),
  }
  return Object.entries(files).map(([name, bytes]) => ({ name, bytes }))
}

function withPngSize(png: Buffer, side: number): Uint8Array {
  png.writeUInt32BE(side, 16)
  png.writeUInt32BE(side, 20)
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29)
  return png
}

function withJpegSize(jpeg: Buffer, side: number): Uint8Array {
  // SOF0 or SOF2
  const at = Math.max(jpeg.indexOf(Buffer.of(0xff, 0xc0)), jpeg.indexOf(Buffer.of(0xff, 0xc2)))
  jpeg.writeUInt16BE(side, at + 5)
  jpeg.writeUInt16BE(side, at + 7)
  return jpeg
}

/** Of a lossy file without extensions. */
function withWebpSize(webp: Buffer, side: number): Uint8Array {
  webp.writeUInt16LE(side, 26)
  webp.writeUInt16LE(side, 28)
  return webp
}

/** The frame's size too: libvips believes it rather than a far larger canvas. */
function withGifSize(gif: Buffer, side: number): Uint8Array {
  const frame = gif.indexOf(Buffer.of(0x2c, 0, 0, 0, 0, SIDE, 0, SIDE, 0))
  for (const at of [6, 8, frame + 5, frame + 7]) gif.writeUInt16LE(side, at)
  return gif
}

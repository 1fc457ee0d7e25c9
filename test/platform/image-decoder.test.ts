import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { nodeImageDecoder } from '../../src/platform/node/image-decoder.js'
import type { RgbImage } from '../../src/platform/platform.js'
import { goldenImage, goldenRows, sha256 } from '../image/golden.js'

const limits = { maxBytes: 20_000_000, maxPixels: 64_000_000, maxDecodeBytes: 200_000_000 }
const official = { applyExif: false, limits }

interface GoldenRow {
  readonly image: string
  readonly width: number
  readonly height: number
  readonly rgbSha256: string
}

describe('equals convert("RGB") of Pillow, byte for byte', () => {
  const rows = [...goldenRows<GoldenRow>('modes.json'), ...goldenRows<GoldenRow>('decoder.json')]
  test.each(rows)('$image', async ({ image, width, height, rgbSha256 }) => {
    const decoded = await nodeImageDecoder.decode(goldenImage(image), official)
    expect([decoded.width, decoded.height]).toEqual([width, height])
    expect(sha256(decoded.data)).toBe(rgbSha256)
  })
})

describe('turns a picture as its EXIF orientation says, if asked', () => {
  const width = 5
  const height = 3
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37) & 255)
  /** Where each stored pixel (x, y) comes to lie, by the EXIF standard. */
  const places: Readonly<Record<number, (x: number, y: number) => readonly [number, number]>> = {
    1: (x, y) => [x, y],
    2: (x, y) => [width - 1 - x, y],
    3: (x, y) => [width - 1 - x, height - 1 - y],
    4: (x, y) => [x, height - 1 - y],
    5: (x, y) => [y, x],
    6: (x, y) => [height - 1 - y, x],
    7: (x, y) => [height - 1 - y, width - 1 - x],
    8: (x, y) => [y, width - 1 - x],
  }
  test.each([1, 2, 3, 4, 5, 6, 7, 8])('orientation %i', async orientation => {
    const pixels = sharp(data, { raw: { width, height, channels: 3 } })
    const file = await pixels.png().withMetadata({ orientation }).toBuffer()
    expect(await nodeImageDecoder.decode(file, official)).toMatchObject({
      width,
      height,
      data: Buffer.from(data),
    })
    const upright = await nodeImageDecoder.decode(file, { applyExif: true, limits })
    const place = places[orientation]!
    const [newWidth, newHeight] = orientation < 5 ? [width, height] : [height, width]
    expect([upright.width, upright.height]).toEqual([newWidth, newHeight])
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const [toX, toY] = place(x, y)
        expect(pixel(upright, toX, toY)).toEqual(pixel({ width, height, data }, x, y))
      }
    }
  })
})

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  'turns orientation %i as sharp does, in each format',
  async orientation => {
    const [width, height] = [333, 141]
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 37 + (i >> 7)) & 255)
    for (const format of ['png', 'jpeg', 'webp'] as const) {
      const pixels = sharp(data, { raw: { width, height, channels: 3 } })
      const file = await pixels.toFormat(format).withMetadata({ orientation }).toBuffer()
      const expected = await sharp(file).autoOrient().raw().toBuffer({ resolveWithObject: true })
      const upright = await nodeImageDecoder.decode(file, { applyExif: true, limits })
      expect([upright.width, upright.height]).toEqual([expected.info.width, expected.info.height])
      expect(sha256(upright.data)).toBe(sha256(expected.data))
    }
  },
)

test('leaves black what the first frame of a GIF does not cover, where Pillow takes a palette colour', async () => {
  const file = readFileSync(goldenImage('decoder_interlaced.gif'))
  const frame = await nodeImageDecoder.decode(file, official)
  file.writeUInt16LE(frame.width + 7, 6)
  file.writeUInt16LE(frame.height + 3, 8)
  const decoded = await nodeImageDecoder.decode(file, official)
  expect([decoded.width, decoded.height]).toEqual([frame.width + 7, frame.height + 3])
  for (let y = 0; y < decoded.height; y++) {
    for (let x = 0; x < decoded.width; x++) {
      const isCovered = x < frame.width && y < frame.height
      expect(pixel(decoded, x, y)).toEqual(isCovered ? pixel(frame, x, y) : [0, 0, 0])
    }
  }
})

test('decodes pictures with a side of one pixel', async () => {
  for (const [width, height] of [
    [1, 1],
    [1, 20_000],
    [20_000, 1],
  ] as const) {
    const file = await sharp({ create: { width, height, channels: 3, background: '#204060' } })
      .png()
      .toBuffer()
    const decoded = await nodeImageDecoder.decode(file, official)
    expect([decoded.width, decoded.height]).toEqual([width, height])
    expect(pixel(decoded, width - 1, height - 1)).toEqual([0x20, 0x40, 0x60])
  }
})

test('decodes many pictures at once', async () => {
  const names = goldenRows<GoldenRow>('modes.json')
  const decoded = await Promise.all(
    names.map(({ image }) => nodeImageDecoder.decode(goldenImage(image), official)),
  )
  expect(decoded.map(({ data }) => sha256(data))).toEqual(names.map(({ rgbSha256 }) => rgbSha256))
})

function pixel({ width, data }: RgbImage, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)]
}

import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { nodeImageDecoder } from '../../src/platform/node/image-decoder.js'
import { encodePng } from '../../src/remote/encode-png.js'
import { pictureUrl } from '../../src/remote/picture-url.js'

const limits = { maxBytes: 20_000_000, maxPixels: 64_000_000, maxDecodeBytes: 200_000_000 }
const { signal } = new AbortController()
const reader = { decoder: nodeImageDecoder, limits, passesUrls: true }

const urlOf = (image: unknown, applyExif = true) => pictureUrl(image, applyExif, reader, signal)
const bytesOf = (url: string) => Buffer.from(url.slice(url.indexOf(',') + 1), 'base64')
async function pixelsOf(image: unknown, applyExif = false) {
  const { width, height, data } = await nodeImageDecoder.decode(image as never, { applyExif, limits })
  return { width, height, data: new Uint8Array(data) }
}

/** A photo on its side, 12 x 8 as it is stored. */
const turned = () =>
  sharp({ create: { width: 12, height: 8, channels: 3, background: '#a10' } })
    .composite([
      { input: { create: { width: 3, height: 3, channels: 3, background: '#0f8' } }, left: 1, top: 1 },
    ])
    .jpeg()
    .withMetadata({ orientation: 6 })
    .toBuffer()

describe('the URL of a picture', () => {
  test('is an upright JPEG as it is', async () => {
    const jpeg = await sharp(await turned())
      .autoOrient()
      .jpeg()
      .toBuffer()
    const url = await urlOf(jpeg)
    expect(url).toMatch(/^data:image\/jpeg;base64,/)
    expect(bytesOf(url).equals(jpeg)).toBe(true)
  })

  test('shows the pixels that a model in this process sees: turned, or not', async () => {
    const jpeg = await turned()
    for (const applyExif of [true, false]) {
      const url = await urlOf(jpeg, applyExif)
      expect(url).toMatch(/^data:image\/png;base64,/)
      expect(await pixelsOf(bytesOf(url), true)).toEqual(await pixelsOf(jpeg, applyExif))
    }
    expect(await pixelsOf(bytesOf(await urlOf(jpeg)))).toMatchObject({ width: 8, height: 12 })
  })

  test('drops alpha as a model in this process does, and does not leave it to the server', async () => {
    const png = await sharp({
      create: { width: 4, height: 3, channels: 4, background: { r: 9, g: 99, b: 199, alpha: 0 } },
    })
      .png()
      .toBuffer()
    const sent = await sharp(bytesOf(await urlOf(png))).metadata()
    expect(sent).toMatchObject({ channels: 3, width: 4, height: 3 })
    expect(await pixelsOf(bytesOf(await urlOf(png)))).toEqual(await pixelsOf(png))
  })

  test.each([
    ['raw pixels', { data: new Uint8Array(2 * 3 * 3).fill(77), width: 2, height: 3 }],
    ['a path', 'examples/pictures/sign.png'],
    ['a sharp instance', sharp('examples/pictures/sign.png')],
  ])('is made of %s', async (_, image) => {
    expect(await pixelsOf(bytesOf(await urlOf(image)))).toEqual(await pixelsOf(image))
  })

  test('is a web address as it is, where the server fetches it', async () => {
    expect(await urlOf('https://example.com/a.png')).toBe('https://example.com/a.png')
    expect(await urlOf(new URL('http://example.com/a.png'))).toBe('http://example.com/a.png')
    const own = pictureUrl('https://example.com/a.png', true, { ...reader, passesUrls: false }, signal)
    await expect(own).rejects.toMatchObject({ code: 'IMAGE_INPUT' })
  })

  test('is none of what is no picture', async () => {
    await expect(urlOf(await readFile('package.json'))).rejects.toMatchObject({ code: 'IMAGE_INPUT' })
    await expect(urlOf(new Uint8Array(20_000_001))).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' })
  })
})

test('a PNG has the pixels that it was made of', async () => {
  const side = fc.integer({ min: 1, max: 40 })
  await fc.assert(
    fc.asyncProperty(side, side, fc.nat(), async (width, height, seed) => {
      const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 31 + seed * (i % 7)) & 255)
      const png = await encodePng({ width, height, data })
      const read = await sharp(png).raw().toBuffer({ resolveWithObject: true })
      expect(read.info).toMatchObject({ width, height, channels: 3 })
      expect(Buffer.from(data).equals(read.data)).toBe(true)
    }),
    { numRuns: 40 },
  )
})

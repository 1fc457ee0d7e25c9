import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runInNewContext } from 'node:vm'
import sharp from 'sharp'
import { describe, expect, expectTypeOf, test } from 'vitest'
import type { ImageInput, SharpLike, VideoFrameLike } from '../../src/platform/image-input.js'
import { nodeImageDecoder } from '../../src/platform/node/image-decoder.js'
import { goldenImage, goldenRows, sha256 } from '../image/golden.js'

const options = {
  applyExif: false,
  limits: { maxBytes: 20_000_000, maxPixels: 64_000_000, maxDecodeBytes: 200_000_000 },
}
const url = goldenImage('mode_rgba.png')
const file = readFileSync(url)
const base64 = file.toString('base64')
const rows = goldenRows<{ image: string; rgbSha256: string }>('modes.json')
const expected = rows.find(({ image }) => image === 'mode_rgba.png')!.rgbSha256

describe('takes an encoded picture', () => {
  const inputs: Readonly<Record<string, ImageInput>> = {
    'as a path': fileURLToPath(url),
    'as a relative path': 'test/golden/tiler/images/mode_rgba.png',
    'as a file URL object': url,
    'as a file URL string': url.href,
    'as a data URL': `data:image/png;base64,${base64}`,
    'as a data URL with a wrong or no type': `data:;base64,${base64}`,
    'as a data URL broken into lines': `data:image/png;base64,${base64.replace(/.{76}/g, '$&\r\n')}`,
    'as a data URL object': new URL(`data:image/png;base64,${base64}`),
    'as a Buffer': file,
    'as a Uint8Array within a larger buffer': new Uint8Array([1, ...file, 2]).subarray(1, file.length + 1),
    'as an ArrayBuffer': new Uint8Array(file).buffer,
    'as bytes of another realm': runInNewContext('new Uint8Array(bytes)', { bytes: [...file] }) as Uint8Array,
    'as a Blob': new Blob([file]),
    'as an image_url': { url: `data:image/png;base64,${base64}` },
    'as a sharp instance': sharp(file),
  }
  test.each(Object.entries(inputs))('%s', async (_, input) => {
    expect(sha256((await nodeImageDecoder.decode(input, options)).data)).toBe(expected)
  })
  test.each(Object.entries(inputs))('%s, opened first', async (_, input) => {
    const opened = await nodeImageDecoder.open(input, options)
    expect(opened.kind === 'encoded' ? opened.bytes.length : opened.pixels.channels).toBe(
      opened.kind === 'encoded' ? file.length : 3,
    )
    expect(sha256((await nodeImageDecoder.decode(opened, options)).data)).toBe(expected)
  })
})

test('opening checks the size in bytes, and so does decoding what another opened', async () => {
  const limits = { ...options.limits, maxBytes: file.length - 1 }
  await expect(nodeImageDecoder.open(file, { limits })).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' })
  const opened = await nodeImageDecoder.open(file, options)
  await expect(nodeImageDecoder.decode(opened, { ...options, limits })).rejects.toMatchObject({
    code: 'IMAGE_TOO_LARGE',
  })
})

describe('takes a video frame', () => {
  /** What WebCodecs gives of a frame of 2 x 1, as far as it is used. */
  const frame = (copyTo: VideoFrameLike['copyTo']): VideoFrameLike => ({
    codedWidth: 16,
    codedHeight: 16,
    visibleRect: { width: 2, height: 1 },
    allocationSize: () => 8,
    copyTo,
  })

  test('as the RGB of its visible part', async () => {
    const copyTo: VideoFrameLike['copyTo'] = async destination =>
      destination.set([1, 2, 3, 255, 4, 5, 6, 255])
    const { width, height, data } = await nodeImageDecoder.decode(frame(copyTo), options)
    expect([width, height, ...data]).toEqual([2, 1, 1, 2, 3, 4, 5, 6])
  })

  test('and says so when it is closed', async () => {
    const closed = frame(async () => {
      throw new Error('frame is closed')
    })
    await expect(nodeImageDecoder.decode(closed, options)).rejects.toMatchObject({
      code: 'IMAGE_DECODE',
      message: expect.stringContaining('frame is closed'),
    })
  })
})

describe('takes raw pixels', () => {
  test('RGB, RGBA without its alpha, and grey', async () => {
    const decode = async (input: ImageInput) => [...(await nodeImageDecoder.decode(input, options)).data]
    expect(await decode({ width: 1, height: 2, data: Uint8Array.of(1, 2, 3, 4, 5, 6) })).toEqual([
      1, 2, 3, 4, 5, 6,
    ])
    const rgba = {
      width: 1,
      height: 2,
      channels: 4,
      data: Uint8ClampedArray.of(1, 2, 3, 0, 4, 5, 6, 9),
    } as const
    expect(await decode(rgba)).toEqual([1, 2, 3, 4, 5, 6])
    expect(await decode({ width: 2, height: 1, data: Uint8Array.of(7, 8) })).toEqual([7, 7, 7, 8, 8, 8])
  })

  test.each([
    [
      { width: 2, height: 2, channels: 3, data: new Uint8Array(11) },
      'raw pixels: 2 x 2 with 3 channels do not have 11 bytes',
    ],
    [
      { width: 2, height: 2, data: new Uint8Array(8) },
      'raw pixels: 2 x 2 with 1, 3 or 4 channels do not have 8 bytes',
    ],
    [
      { width: 0, height: 2, data: new Uint8Array(0) },
      'raw pixels: width and height must be whole numbers above 0, found 0 x 2',
    ],
    [
      { width: 1.5, height: 2, data: new Uint8Array(9) },
      'raw pixels: width and height must be whole numbers above 0, found 1.5 x 2',
    ],
  ] as const)('refuses sizes that do not fit: %#', async (pixels, message) => {
    await expect(nodeImageDecoder.decode(pixels, options)).rejects.toMatchObject({
      code: 'IMAGE_INPUT',
      message,
    })
  })
})

test('lets the settings of a sharp instance hold, and leaves it usable', async () => {
  const pipeline = sharp(file).resize(8, 6, { kernel: 'nearest' }).greyscale()
  const decoded = await nodeImageDecoder.decode(pipeline, options)
  expect([decoded.width, decoded.height, decoded.data.length]).toEqual([8, 6, 8 * 6 * 3])
  expect((await pipeline.png().toBuffer()).length).toBeGreaterThan(0)
  expectTypeOf(pipeline).toExtend<SharpLike>()
})

describe('refuses what is no picture, saying what it is and what to do', () => {
  const longBase64 = base64.repeat(10)
  test.each([
    [
      'https://example.com/a.png',
      /^https:\/\/example\.com\/a\.png: pictures are not fetched from the network$/,
      /fetch/i,
    ],
    [new URL('http://example.com/a.png'), /not fetched/, /fetch/i],
    [{ url: 'https://example.com/a.png' }, /not fetched/, /fetch/i],
    ['data:image/png,%89PNG', /^data:image\/png,%89PNG: is no base64 data URL$/, /data:image\/png;base64,/],
    ['data:image/png;base64,iVBO*w==', /has characters that are not base64$/, /base64/],
    [longBase64, /^iVBOR.*\.\.\.: \d+ characters are too many for a path$/, /data:image\/png;base64,/],
    ['file://elsewhere/a.png', /^file:\/\/elsewhere\/a\.png: is no URL of a local file$/, undefined],
    ['', /^"" is no path of a picture$/, undefined],
    ['a\0b.png', /^"a\\u0000b\.png" is no path of a picture$/, undefined],
    [7, /^expected a picture, found 7$/, /path/],
    [undefined, /^expected a picture, found undefined$/, /path/],
    [{ pixels: 1, w: 2 }, /^expected a picture, found an object with the fields pixels, w$/, /path/],
    [new Float32Array(3), /^expected the bytes of a picture file, found a Float32Array$/, /raw 8-bit pixels/],
  ])('%#', async (input, message, hint) => {
    const error = await nodeImageDecoder.decode(input as ImageInput, options).catch(caught => caught)
    expect(error).toMatchObject({ code: 'IMAGE_INPUT', message: expect.stringMatching(message) })
    if (hint !== undefined) expect(error.hint).toMatch(hint)
  })
})

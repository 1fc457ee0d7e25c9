import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ImageTiler } from '../../src/image/image-tiler.js'
import { nodeImageDecoder } from '../../src/platform/node/image-decoder.js'
import { goldenImage, goldenRows, sha256 } from '../image/golden.js'
import type { PictureKind } from './page-calls.js'
import { prepareModels } from './prepare-models.js'
import { startBench, type TestPage, type WebBench } from './test-page.js'

const limits = { maxBytes: 20_000_000, maxPixels: 64_000_000, maxDecodeBytes: 200_000_000 }
const golden = fileURLToPath(new URL('../golden/tiler/images', import.meta.url))
let made: string
let models: string
let bench: WebBench
let page: TestPage

beforeAll(async () => {
  made = await mkdtemp(join(tmpdir(), 'nvlm-pictures-'))
  models = await prepareModels({ tiny: { checkpoint: 'nvlmd-tiny-fp32' } })
  bench = await startBench({ golden, made, models })
  page = await bench.open()
})
afterAll(async () => {
  await bench.close()
  await rm(made, { recursive: true })
  await rm(models, { recursive: true })
})

const decode = (path: string, options = {}, kind: PictureKind = 'blob') =>
  page.call('decode', { path, kind }, { applyExif: false, ...options })

interface GoldenRow {
  readonly image: string
  readonly width: number
  readonly height: number
  readonly rgbSha256: string
}

/** Kinds of pictures whose colours browsers convert in ways of their own. */
const REFUSED = ['mode_cmyk.jpg', 'decoder_cmyk.jpg', 'mode_i16.png', 'decoder_gray16_trns.png']

const rows = [...goldenRows<GoldenRow>('modes.json'), ...goldenRows<GoldenRow>('decoder.json')]

describe('a browser decodes byte for byte what Node decodes', () => {
  test.each(rows.filter(({ image }) => !REFUSED.includes(image)))('$image', async row => {
    const { image, width, height, rgbSha256 } = row
    expect(await decode(`/golden/${image}`)).toEqual({ width, height, sha256: rgbSha256 })
  })

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('turned by orientation %i, and left', async orientation => {
    const data = Uint8Array.from({ length: 45 }, (_, i) => (i * 37) & 255)
    for (const format of ['png', 'jpeg', 'webp'] as const) {
      const pixels = sharp(data, { raw: { width: 5, height: 3, channels: 3 } })
      const file = await pixels.toFormat(format, { lossless: true }).withMetadata({ orientation }).toBuffer()
      const name = `${orientation}.${format}`
      await writeFile(join(made, name), file)
      for (const applyExif of [true, false]) {
        const { width, height, data: rgb } = await nodeImageDecoder.decode(file, { applyExif, limits })
        expect(await decode(`/made/${name}`, { applyExif })).toEqual({ width, height, sha256: sha256(rgb) })
      }
    }
  })

  test('with sides of one pixel, and larger than a block of the read-back', async () => {
    for (const [width, height] of [
      [1, 1],
      [1, 5000],
      [5000, 3],
      [2100, 2100],
    ] as const) {
      const data = Uint8Array.from({ length: width * height * 4 }, (_, i) => (i * 41 + (i >> 9)) & 255)
      const name = `${width}x${height}.png`
      await sharp(data, { raw: { width, height, channels: 4 } })
        .png()
        .toFile(join(made, name))
      const expected = await nodeImageDecoder.decode(join(made, name), { applyExif: false, limits })
      expect(await decode(`/made/${name}`)).toEqual({ width, height, sha256: sha256(expected.data) })
    }
  })
})

describe('a browser cuts the same tiles as Node', () => {
  test.each(['photo_640x480.png', 'pano_1500x300.png', 'mode_exif6.jpg', 'decoder_lossy_alpha.webp'])(
    '%s',
    async image => {
      const { rgb, numTiles } = await new ImageTiler({}, nodeImageDecoder).tile(goldenImage(image))
      const tiles = await page.call('tile', { path: `/golden/${image}`, kind: 'blob' }, {})
      expect(tiles).toEqual({ width: 448, height: 448 * numTiles, sha256: sha256(rgb) })
    },
  )
})

describe('a picture may be given', () => {
  // opaque, so that nothing is lost in what a canvas keeps
  const image = 'photo_640x480.png'
  const kinds: readonly PictureKind[] = [
    'bytes',
    'blob',
    'file',
    'blob URL',
    'data URL',
    'relative URL',
    'URL object',
    'ImageBitmap',
    'ImageData',
    'canvas',
    'OffscreenCanvas',
    'img',
    'VideoFrame',
  ]
  test.each(kinds)('as %s', async kind => {
    const { width, height, data } = await nodeImageDecoder.decode(goldenImage(image), {
      applyExif: false,
      limits,
    })
    expect(await decode(`/golden/${image}`, {}, kind)).toEqual({ width, height, sha256: sha256(data) })
  })

  test('as a video, whose frames have lossy colours', async () => {
    expect(await decode(`/golden/${image}`, {}, 'video')).toMatchObject({ width: 640, height: 480 })
  })

  test('in every form to a model in a worker', async () => {
    const { id } = await page.call('load', '/models/tiny', { device: 'wasm' })
    const hashes = new Map<string, PictureKind[]>()
    for (const kind of [...kinds, 'video'] as const) {
      const { tiles, hash } = await page.call('prepareImage', id, { path: `/golden/${image}`, kind })
      expect(tiles).toBe(7)
      hashes.set(hash, [...(hashes.get(hash) ?? []), kind])
    }
    const file = sha256(readFileSync(goldenImage(image)))
    expect(hashes.get(file)).toEqual(kinds.slice(0, 7))
  })
})

describe('a picture is refused with a reason', () => {
  test.each(REFUSED)('%s, whose colours would differ', async image => {
    await expect(decode(`/golden/${image}`)).rejects.toMatchObject({
      code: 'IMAGE_INPUT',
      message: expect.stringMatching(/CMYK|16-bit grey/),
    })
  })

  test.each([
    'mode_rgb.jpg',
    'mode_rgba.png',
    'decoder_interlaced.gif',
    'mode_lossless.webp',
    'mode_rgb.bmp',
  ])('%s cut at 60, 25 and 5 percent', async image => {
    const whole = readFileSync(goldenImage(image))
    for (const part of [0.6, 0.25, 0.05]) {
      const name = `cut-${part}-${image}`
      await writeFile(join(made, name), whole.subarray(0, Math.max(12, Math.floor(whole.length * part))))
      await expect(decode(`/made/${name}`)).rejects.toMatchObject({
        code: 'IMAGE_DECODE',
        message: expect.stringContaining('damaged or cut short'),
      })
    }
  })

  test('a PNG whose data is changed', async () => {
    const bytes = readFileSync(goldenImage('mode_rgba.png'))
    bytes[bytes.length >> 1]! ^= 1
    await writeFile(join(made, 'changed.png'), bytes)
    await expect(decode('/made/changed.png')).rejects.toMatchObject({ code: 'IMAGE_DECODE' })
  })

  test('one that is too large, by its header', async () => {
    const image = '/golden/photo_640x480.png'
    for (const limit of [{ maxBytes: 100 }, { maxPixels: 1000 }]) {
      for (const kind of ['blob', 'relative URL'] as const) {
        await expect(decode(image, limit, kind)).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' })
      }
    }
    await expect(decode(image, { maxPixels: 1000 }, 'canvas')).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
    })
  })

  test('one that is not there, or no picture', async () => {
    await expect(decode('/made/missing.png', {}, 'relative URL')).rejects.toMatchObject({
      code: 'IMAGE_INPUT',
    })
    await writeFile(join(made, 'text.png'), 'hello, I am no picture')
    await expect(decode('/made/text.png')).rejects.toMatchObject({
      code: 'IMAGE_INPUT',
      message: expect.stringContaining('is text'),
    })
  })
})

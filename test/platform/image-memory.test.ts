import sharp, { type JpegOptions, type PngOptions } from 'sharp'
import { beforeAll, describe, expect, test } from 'vitest'
import { crc32 } from '../../src/nvlm/crc32.js'
import { requireImageFormat } from '../../src/platform/image-format.js'
import { decodeBytes } from '../../src/platform/image-memory.js'
import { nodeImageDecoder } from '../../src/platform/node/image-decoder.js'
import { webImageDecoder } from '../../src/platform/web/image-decoder.js'
import { type PictureBomb, pictureBombs } from '../support/picture-bombs.js'

const limits = { maxBytes: 20_000_000, maxPixels: 64_000_000, maxDecodeBytes: 200_000_000 }
const options = { applyExif: true, limits }
const side = 64
const plain = sharp({ create: { width: side, height: side, channels: 3, background: '#204060' } })
const withAlpha = sharp({ create: { width: side, height: side, channels: 4, background: '#20406080' } })

/** Bytes a pixel that decoding takes. */
function bytesOfPixel(bytes: Uint8Array): number {
  const format = requireImageFormat({ name: 'picture', bytes })
  return decodeBytes(bytes, format, { width: side, height: side }) / side ** 2
}

describe('bytes a pixel that decoding takes, as measured at 64 megapixels', () => {
  const png = (options: PngOptions, image = plain) => image.clone().png(options).toBuffer()
  const jpeg = (options: JpegOptions, image = plain) => image.clone().jpeg(options).toBuffer()
  test.each([
    ['a PNG, row by row', 3, () => png({})],
    ['a PNG with a palette', 3, () => png({ palette: true })],
    ['an interlaced PNG, which may have a transparent colour', 7, () => png({ progressive: true })],
    [
      'an interlaced PNG of 16 bits with alpha',
      11,
      () => png({ progressive: true }, withAlpha.clone().toColourspace('rgb16')),
    ],
    ['a PNG of 16-bit grey', 7, () => png({}, plain.clone().toColourspace('grey16'))],
    ['a JPEG', 3, () => jpeg({})],
    ['a JPEG in CMYK', 7, () => jpeg({}, plain.clone().toColourspace('cmyk'))],
    ['a progressive JPEG 4:4:4', 9, () => jpeg({ progressive: true, chromaSubsampling: '4:4:4' })],
    ['a progressive JPEG 4:2:0', 6, () => jpeg({ progressive: true, chromaSubsampling: '4:2:0' })],
    ['a progressive JPEG in grey', 5, () => jpeg({ progressive: true }, plain.clone().toColourspace('b-w'))],
    [
      'a progressive JPEG in CMYK',
      12,
      () => jpeg({ progressive: true, chromaSubsampling: '4:4:4' }, plain.clone().toColourspace('cmyk')),
    ],
    ['a WebP', 10, () => plain.clone().webp().toBuffer()],
    ['a WebP with EXIF', 10, () => plain.clone().webp().withMetadata({ orientation: 6 }).toBuffer()],
    ['a WebP without loss', 10, () => plain.clone().webp({ lossless: true }).toBuffer()],
    ['a WebP with alpha', 11, () => withAlpha.clone().webp().toBuffer()],
    ['a WebP without loss, with alpha', 11, () => withAlpha.clone().webp({ lossless: true }).toBuffer()],
    ['a GIF', 7, () => plain.clone().gif().toBuffer()],
  ])('%s: %i', async (_, expected, make) => {
    expect(bytesOfPixel(await make())).toBe(expected)
  })

  test('a WebP that hides what it is counts for the most there can be', async () => {
    const file = await plain.clone().webp().toBuffer()
    expect(bytesOfPixel(new Uint8Array(file).with(12, 0x41))).toBe(11)
    expect(bytesOfPixel(file.subarray(0, 14))).toBe(11)
  })

  test('a JPEG that hides what it is counts for the most there can be', async () => {
    const file = await plain.clone().jpeg().toBuffer()
    const frame = file.indexOf(Buffer.of(0xff, 0xc0))
    const scan = file.indexOf(Buffer.of(0xff, 0xda))
    const changed = (at: number, byte: number) => bytesOfPixel(new Uint8Array(file).with(at, byte))
    expect(changed(frame + 1, 0xfe)).toBe(12)
    expect(changed(frame + 11, 0x20)).toBe(12)
    expect(bytesOfPixel(file.subarray(0, scan))).toBe(12)
    expect(bytesOfPixel(Buffer.concat([file.subarray(0, scan), file.subarray(frame)]))).toBe(12)
    // the components one after the other: as coefficients, like a progressive one
    expect(changed(scan + 4, 1)).toBe(6)
    // bytes that belong to nothing are stepped over
    const stuffed = Buffer.concat([file.subarray(0, frame), Buffer.of(1, 2, 0xff), file.subarray(frame)])
    expect(bytesOfPixel(stuffed)).toBe(3)
  })
})

describe('twelve bombs are refused by their headers', () => {
  let bombs: readonly PictureBomb[]
  beforeAll(async () => {
    bombs = await pictureBombs()
  })
  const decoders = { Node: nodeImageDecoder, 'a browser': webImageDecoder }

  test.each(Object.entries(decoders))('in %s, twenty of each at once', async (_, decoder) => {
    const codeOf = async ({ bytes }: PictureBomb) =>
      decoder.decode(bytes, options).then(
        () => 'decoded',
        error => error.code,
      )
    const all = bombs.flatMap(bomb => Array.from({ length: 20 }, () => codeOf(bomb)))
    const codes = await Promise.all(all)
    const byName = Object.fromEntries(bombs.map(({ name }, i) => [name, codes.slice(i * 20, i * 20 + 20)]))
    // kinds that browsers do not decode exactly are refused for that
    const unreadable = decoder === webImageDecoder ? ['png-16-bit-grey.png', 'jpeg-cmyk.jpg'] : []
    for (const [name, found] of Object.entries(byName)) {
      const code = unreadable.includes(name) ? 'IMAGE_INPUT' : 'IMAGE_TOO_LARGE'
      expect([name, ...new Set(found)]).toEqual([name, code])
    }
  })

  test('within 20 milliseconds each', async () => {
    const times: number[] = []
    for (const { bytes } of [...bombs, ...bombs, ...bombs]) {
      const started = performance.now()
      await expect(nodeImageDecoder.decode(bytes, options)).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' })
      times.push(performance.now() - started)
    }
    // the machine has other things to do now and then
    expect(times.sort((a, b) => a - b)[Math.floor(times.length / 2)]).toBeLessThan(20)
  })

  test('with the way out in the hint, which works', async () => {
    const file = await plain.clone().png({ progressive: true }).toBuffer()
    const tight = { ...limits, maxDecodeBytes: 7 * side ** 2 - 1 }
    await expect(nodeImageDecoder.decode(file, { ...options, limits: tight })).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
      message: expect.stringContaining(
        'decoding 64 x 64 pixels of this kind of PNG takes 28672 bytes of memory, at most 28671 are accepted',
      ),
      hint: expect.stringContaining('limits.maxDecodeBytes'),
    })
    const enough = { ...limits, maxDecodeBytes: 7 * side ** 2 }
    expect(await nodeImageDecoder.decode(file, { ...options, limits: enough })).toMatchObject({ width: side })
  })
})

test('a picture that waits for memory is not read before the one in front of it may start', async () => {
  // by its header it takes 192 MB, and it fails soon
  const png = await plain.clone().png().toBuffer()
  png.writeUInt32BE(8000, 16)
  png.writeUInt32BE(8000, 20)
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29)
  const file = new Uint8Array(png)
  let numRead = 0
  const blob = {
    size: file.length,
    type: 'image/png',
    arrayBuffer: async () => {
      numRead++
      return file.buffer
    },
  }
  const read: number[] = []
  const decode = async () => {
    await expect(nodeImageDecoder.decode(blob, options)).rejects.toMatchObject({ code: 'IMAGE_DECODE' })
    read.push(numRead)
  }
  await Promise.all(Array.from({ length: 4 }, decode))
  // one was decoded, and the next had been read to know its size
  expect(read).toEqual([2, 3, 4, 4])
})

test('pictures count against the memory of all until the work on their pixels is done', async () => {
  const file = await plain.clone().resize(4000, 7000).jpeg().toBuffer()
  let [inWork, most] = [0, 0]
  const work = async () => {
    most = Math.max(most, ++inWork)
    await new Promise(resolve => setTimeout(resolve, 1))
    inWork--
  }
  // of 84 MB each two fit into 200 MB
  await Promise.all(Array.from({ length: 3 }, () => nodeImageDecoder.decodeFor(file, options, work)))
  expect(most).toBeLessThanOrEqual(2)
})

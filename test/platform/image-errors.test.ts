import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import type { ImageInput } from '../../src/platform/image-input.js'
import { nodeImageDecoder } from '../../src/platform/node/image-decoder.js'
import { goldenImage } from '../image/golden.js'

const options = {
  applyExif: true,
  limits: { maxBytes: 20_000_000, maxPixels: 64_000_000, maxDecodeBytes: 200_000_000 },
}
const folder = mkdtempSync(join(tmpdir(), 'nvlm-image-'))
afterAll(() => rmSync(folder, { recursive: true }))

function write(name: string, content: string | Uint8Array): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

const failure = (input: ImageInput, limits = options.limits) =>
  nodeImageDecoder.decode(input, { ...options, limits }).then(
    () => expect.fail('the picture was accepted'),
    error => error,
  )

describe('a file that is no picture is refused by name, with what it is and what is read', () => {
  test.each([
    ['text.jpg', 'hello, I am no picture', 'is text', 'begins with "hello, I am no picture"'],
    ['drawing.svg', '<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', 'is SVG', '<?xml'],
    ['drawing.png', '\ufeff  <svg/>', 'is SVG', '<svg'],
    ['page.png', '<!DOCTYPE html><html>404</html>', 'is HTML', '<!DOCTYPE'],
    ['pointer.png', 'version https://git-lfs.github.com/spec/v1\n', 'is Git LFS pointer', 'version https'],
    ['paper.pdf', '%PDF-1.7\n\x01', 'is PDF', '25 50 44 46'],
    ['scan.tif', Buffer.from('II*\0\x08\0\0\0', 'latin1'), 'is TIFF', '49 49 2a 00'],
    ['phone.heic', Buffer.from('\0\0\0\x18ftypheic\0\0\0\0', 'latin1'), 'is HEIC', '66 74 79 70'],
    ['web.avif', Buffer.from('\0\0\0\x18ftypavif\0\0\0\0', 'latin1'), 'is AVIF', '66 74 79 70'],
    ['noise.png', Uint8Array.of(1, 2, 3, 254), 'is an unknown format', '01 02 03 fe'],
  ])('%s', async (name, content, what, head) => {
    const path = write(name, content)
    const error = await failure(path)
    expect(error).toMatchObject({
      code: 'IMAGE_INPUT',
      hint: expect.stringContaining('JPEG, PNG, WebP, GIF and BMP'),
    })
    expect(error.message).toContain(path)
    expect(error.message).toContain(what)
    expect(error.message).toContain(head)
  })
})

describe('a path without a picture is refused', () => {
  test('missing', async () => {
    const path = join(folder, 'missing.png')
    expect(await failure(path)).toMatchObject({ code: 'IMAGE_INPUT', message: `${path}: does not exist` })
  })

  test('a folder', async () => {
    mkdirSync(join(folder, 'pictures'))
    const error = await failure(join(folder, 'pictures'))
    expect(error).toMatchObject({
      code: 'IMAGE_INPUT',
      message: expect.stringContaining('pictures: is a folder'),
    })
  })

  test('empty', async () => {
    const path = write('empty.png', '')
    expect(await failure(path)).toMatchObject({
      code: 'IMAGE_INPUT',
      message: `${path}: is empty, expected a picture`,
    })
  })

  test.skipIf(process.platform === 'win32')('a named pipe, without waiting for its writer', async () => {
    const path = join(folder, 'pipe.png')
    execFileSync('mkfifo', [path])
    expect(await failure(path)).toMatchObject({
      code: 'IMAGE_INPUT',
      message: `${path}: is not a regular file, expected a picture`,
    })
  })
})

describe('a damaged picture is an error, never half a picture', () => {
  test.each([
    'mode_rgb.jpg',
    'mode_progressive.jpg',
    'mode_cmyk.jpg',
    'mode_rgba.png',
    'mode_i16.png',
    'mode_p.png',
    'decoder_interlaced.gif',
    'mode_lossless.webp',
    'decoder_lossy.webp',
    'mode_rgb.bmp',
  ])('%s cut at 60, 25 and 5 percent', async name => {
    const whole = readFileSync(goldenImage(name))
    for (const part of [0.6, 0.25, 0.05]) {
      const path = write(`cut-${name}`, whole.subarray(0, Math.max(12, Math.floor(whole.length * part))))
      const error = await failure(path)
      expect(error).toMatchObject({
        code: 'IMAGE_DECODE',
        message: expect.stringContaining('damaged or cut short'),
      })
      expect(error.message).toContain(path)
    }
  })

  test('an animation is judged by its first frame alone', async () => {
    const whole = readFileSync(goldenImage('mode_anim.gif'))
    const cut = await nodeImageDecoder.decode(whole.subarray(0, Math.floor(whole.length * 0.6)), options)
    expect(cut).toEqual(await nodeImageDecoder.decode(whole, options))
    expect(await failure(whole.subarray(0, Math.floor(whole.length * 0.25)))).toMatchObject({
      code: 'IMAGE_DECODE',
    })
  })

  test('a JPEG with the harmless flaw of some phones (SOS parameters) is read, as Pillow does', async () => {
    const whole = readFileSync(goldenImage('mode_rgb.jpg'))
    const flawed = Buffer.from(whole)
    const scan = flawed.lastIndexOf(Buffer.of(0xff, 0xda))
    flawed[scan + 1 + flawed.readUInt16BE(scan + 2)] = 10
    expect(flawed).not.toEqual(whole)
    expect(await nodeImageDecoder.decode(flawed, options)).toEqual(
      await nodeImageDecoder.decode(whole, options),
    )
  })

  test('a PNG whose checksum is wrong', async () => {
    const bytes = readFileSync(goldenImage('mode_rgba.png'))
    bytes[bytes.length >> 1]! ^= 1
    expect(await failure(bytes)).toMatchObject({ code: 'IMAGE_DECODE' })
  })

  test('a BMP of a kind that is not read says which are', async () => {
    const bytes = readFileSync(goldenImage('mode_rgb.bmp'))
    bytes.writeUInt16LE(8, 28)
    expect(await failure(bytes)).toMatchObject({
      code: 'IMAGE_INPUT',
      message: expect.stringContaining(
        'is a BMP of 8 bits with compression 0; only uncompressed 24 and 32 bits are read',
      ),
    })
  })
})

describe('a picture that is too large is refused by its header', () => {
  test('by its pixels, within milliseconds, twenty at once', async () => {
    const bomb = pngOfSize(30_000, 30_000)
    await failure(bomb)
    const start = performance.now()
    const errors = await Promise.all(Array.from({ length: 20 }, () => failure(bomb)))
    expect(performance.now() - start).toBeLessThan(2000)
    for (const error of errors) {
      expect(error).toMatchObject({
        code: 'IMAGE_TOO_LARGE',
        message: expect.stringContaining('is 30000 x 30000 pixels, at most 64000000'),
      })
    }
  })

  test.each([
    [1, 65_536],
    [65_536, 1],
  ])('by a side of more than 65535 pixels: %i x %i', async (width, height) => {
    const refusal = {
      code: 'IMAGE_TOO_LARGE',
      message: expect.stringContaining('a side may have 65535 at most'),
    }
    expect(await failure(pngOfSize(width, height))).toMatchObject(refusal)
    expect(await failure({ data: new Uint8Array(3 * width * height), width, height })).toMatchObject(refusal)
  })

  test('by its bytes, before it is read', async () => {
    const limits = { maxBytes: 100, maxPixels: 64_000_000, maxDecodeBytes: 200_000_000 }
    const path = write('large.png', readFileSync(goldenImage('mode_rgba.png')))
    const tooLarge = {
      code: 'IMAGE_TOO_LARGE',
      message: expect.stringContaining('at most 100 are accepted'),
      hint: expect.stringContaining('limits.maxBytes'),
    }
    expect(await failure(path, limits)).toMatchObject(tooLarge)
    expect(await failure(readFileSync(path), limits)).toMatchObject(tooLarge)
    expect(
      await failure(`data:image/png;base64,${readFileSync(path).toString('base64')}`, limits),
    ).toMatchObject(tooLarge)
  })

  test('a BMP whose header promises more than the file has', async () => {
    const bytes = readFileSync(goldenImage('mode_rgb.bmp'))
    bytes.writeInt32LE(2_000_000_000, 18)
    expect(await failure(bytes)).toMatchObject({ code: 'IMAGE_TOO_LARGE' })
    bytes.writeInt32LE(4000, 18)
    expect(await failure(bytes)).toMatchObject({ code: 'IMAGE_DECODE' })
  })
})

/** A PNG that says how large it is and holds next to nothing. */
function pngOfSize(width: number, height: number): Uint8Array {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 2, 0, 0, 1], 8)
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(100))),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(kind: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(kind), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  framed.set(body, 4)
  framed.writeUInt32BE(crc32(body), body.length + 4)
  return framed
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}

import { describe, expect, test } from 'vitest'
import { ImageTiler } from '../../src/image/image-tiler.js'
import type { ImageTilerOptions } from '../../src/image/image-tiler-options.js'
import { nodeImageDecoder } from '../../src/platform/node/image-decoder.js'
import { goldenImage, goldenRows, sha256 } from './golden.js'

const grey = (width: number, height: number) =>
  ({ width, height, channels: 1, data: new Uint8Array(width * height) }) as const

function makeTiler(options: ImageTilerOptions = {}): ImageTiler {
  return new ImageTiler(options, nodeImageDecoder)
}

describe('cuts tiles equal to the official code, byte for byte', () => {
  interface Row {
    readonly image: string
    readonly maxTiles: number
    readonly columns: number
    readonly rows: number
    readonly tilesSha256: readonly string[]
    readonly pixelValuesSha256: string
  }
  test.each(goldenRows<Row>('tiles.json'))('$image, at most $maxTiles tiles', async row => {
    const tiles = await makeTiler({ applyExif: false }).tile(goldenImage(row.image), {
      maxTiles: row.maxTiles,
    })
    expect([tiles.columns, tiles.rows]).toEqual([row.columns, row.rows])
    expect(tiles.numTiles).toBe(row.tilesSha256.length)
    expect(tiles.pixelValues.dims).toEqual([tiles.numTiles, 3, 448, 448])
    const tileBytes = 448 * 448 * 3
    const hashes = Array.from({ length: tiles.numTiles }, (_, i) =>
      sha256(tiles.rgb.subarray(i * tileBytes, (i + 1) * tileBytes)),
    )
    expect(hashes).toEqual(row.tilesSha256)
    expect(sha256(new Uint8Array(tiles.pixelValues.data.buffer))).toBe(row.pixelValuesSha256)
  })
})

test('adds a thumbnail only beside a grid of several tiles, and only if wanted', async () => {
  const tiler = makeTiler({ tileSize: 8 })
  expect(await tiler.tile(grey(4, 4))).toMatchObject({ columns: 1, rows: 1, thumbnail: false, numTiles: 1 })
  expect(await tiler.tile(grey(40, 20))).toMatchObject({ columns: 2, rows: 1, thumbnail: true, numTiles: 3 })
  expect(await tiler.tile(grey(40, 20), { useThumbnail: false })).toMatchObject({
    thumbnail: false,
    numTiles: 2,
  })
})

test('takes the options of the call over those of the tiler', async () => {
  const tiler = makeTiler({ tileSize: 8, maxTiles: 2, useThumbnail: false })
  expect((await tiler.tile(grey(100, 10))).numTiles).toBe(2)
  expect((await tiler.tile(grey(100, 10), { maxTiles: 5, minTiles: 5 })).numTiles).toBe(5)
  expect((await tiler.tile(grey(100, 10), { maxTiles: undefined })).numTiles).toBe(2)
})

test('turns a phone photo upright unless told not to', async () => {
  const tiler = makeTiler({ tileSize: 8, maxTiles: 2 })
  const photo = goldenImage('mode_exif6.jpg')
  const stored = await tiler.tile(photo, { applyExif: false, maxTiles: 1 })
  const upright = await tiler.tile(photo, { maxTiles: 1 })
  // the file is 40 x 30 and to be turned clockwise: its lower left corner comes to the upper left
  expect(upright.rgb).not.toEqual(stored.rgb)
  const corner = (rgb: Uint8Array, x: number, y: number) => [
    ...rgb.subarray((y * 8 + x) * 3, (y * 8 + x) * 3 + 3),
  ]
  corner(upright.rgb, 0, 0).forEach((value, i) => {
    expect(Math.abs(value - corner(stored.rgb, 0, 7)[i]!)).toBeLessThanOrEqual(2)
  })
})

test.each([1, 20_000])('tiles pictures with a side of one pixel (%i high)', async height => {
  const tiles = await makeTiler({ tileSize: 4 }).tile(grey(20_001 - height, height))
  expect(tiles.numTiles).toBe(7)
})

describe('refuses options that make no sense, naming the option, what is expected and what was found', () => {
  test.each([
    [{ maxTiles: 0 }, 'ImageTiler option maxTiles: expected at least 1, found 0'],
    [{ maxTiles: 257 }, 'ImageTiler option maxTiles: expected at most 256, found 257'],
    [{ maxTiles: 1.5 }, 'ImageTiler option maxTiles: expected a whole number from 1 to 256, found 1.5'],
    [{ maxTiles: '6' }, 'ImageTiler option maxTiles: expected a whole number from 1 to 256, found "6"'],
    [
      { tileSize: Number.NaN },
      'ImageTiler option tileSize: expected a whole number from 1 to 2048, found NaN',
    ],
    [{ useThumbnail: 1 }, 'ImageTiler option useThumbnail: expected true or false, found 1'],
    [{ limits: { maxPixels: -1 } }, 'ImageTiler option limits.maxPixels: expected at least 1, found -1'],
    [{ minTiles: 7 }, 'option minTiles: expected at most maxTiles (6), found 7'],
    [{ maxTile: 6 }, 'ImageTiler: there is no option maxTile'],
    [{ limits: { bytes: 6 } }, 'ImageTiler: there is no option limits.bytes'],
    [7, 'ImageTiler options: expected an object, found 7'],
  ])('%j', (options, message) => {
    expect(() => makeTiler(options as ImageTilerOptions)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message }),
    )
  })

  test('of one call', async () => {
    const call = makeTiler({ maxTiles: 4 }).tile(grey(1, 1), { minTiles: 5 })
    await expect(call).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: 'option minTiles: expected at most maxTiles (4), found 5',
    })
    const wrongSignal = makeTiler().tile(grey(1, 1), { signal: {} as AbortSignal })
    await expect(wrongSignal).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: 'tile option signal: expected an AbortSignal, found an object',
    })
  })
})

describe('stops when aborted, with the reason of the signal', () => {
  test('before it begins', async () => {
    const reason = new Error('changed my mind')
    await expect(makeTiler().tile(grey(1, 1), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })

  test('in the midst of a large picture, which leaves the event loop free', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const big = grey(6000, 4000)
    const call = makeTiler().tile(big, { signal: controller.signal })
    setTimeout(() => controller.abort(reason), 0)
    await expect(call).rejects.toBe(reason)
  })

  test('while it waits for its turn, and lets the others go on', async () => {
    const tiler = makeTiler({ tileSize: 16 })
    const controller = new AbortController()
    const others = [tiler.tile(grey(3000, 2000)), tiler.tile(grey(3000, 2000))]
    const waiting = tiler.tile(grey(10, 10), { signal: controller.signal })
    const last = tiler.tile(grey(10, 10))
    controller.abort(new Error('left the queue'))
    await expect(waiting).rejects.toThrow('left the queue')
    expect((await Promise.all([...others, last])).map(({ numTiles }) => numTiles)).toEqual([7, 7, 1])
  })
})

test('takes many pictures at once and gives each its own tiles', async () => {
  const tiler = makeTiler({ tileSize: 8 })
  const sizes = Array.from({ length: 12 }, (_, i) => 10 * (i + 1))
  const all = await Promise.all(sizes.map(width => tiler.tile(grey(width, 10))))
  const alone = []
  for (const width of sizes) alone.push(await tiler.tile(grey(width, 10)))
  expect(all).toEqual(alone)
})

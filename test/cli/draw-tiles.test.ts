import fc from 'fast-check'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { describeBytes } from '../../src/cli/describe-bytes.js'
import { drawTiles, tileTags } from '../../src/cli/draw-tiles.js'
import { encodePng } from '../../src/platform/node/encode-png.js'
import { fakeTiles } from './fake-api.js'

describe('drawTiles', () => {
  test('puts the tiles in their places and the thumbnail apart', () => {
    const size = 96
    const drawing = drawTiles(fakeTiles(3, 2, size))
    expect([drawing.width, drawing.height]).toEqual([3 * size + 8 + size, 2 * size])
    const at = (x: number, y: number) => [
      ...drawing.data.subarray((y * drawing.width + x) * 3).subarray(0, 3),
    ]
    for (let tile = 0; tile < 6; tile++) {
      const place = [(tile % 3) * size + size / 2, Math.floor(tile / 3) * size + size - 10] as const
      expect(at(...place)).toEqual([tile * 10, tile * 10, tile * 10])
    }
    expect(at(3 * size + 8 + size / 2, size - 10)).toEqual([200, 200, 200])
    expect(at(3 * size + 4, 10)).toEqual([24, 24, 24])
  })

  test('frames each tile', () => {
    const size = 32
    const { data, width } = drawTiles(fakeTiles(1, 2, size))
    for (const y of [0, size - 1, size, 2 * size - 1]) {
      expect([...data.subarray((y * width + 20) * 3).subarray(0, 3)]).toEqual([255, 0, 96])
    }
  })

  test('draws at any size without leaving the canvas', () => {
    const side = fc.integer({ min: 1, max: 3 })
    fc.assert(
      fc.property(side, side, fc.integer({ min: 1, max: 60 }), (columns, rows, size) => {
        const { data, width, height } = drawTiles(fakeTiles(columns, rows, size))
        expect(data.length).toBe(width * height * 3)
      }),
      { numRuns: 50 },
    )
  })
})

test('a picture of one tile has the tag of the thumbnail', () => {
  expect(tileTags({ numTiles: 1 })).toEqual(['<tile_global_thumbnail>'])
  expect(tileTags({ numTiles: 3 })).toEqual(['<tile_1>', '<tile_2>', '<tile_global_thumbnail>'])
})

test('an encoded PNG gives the same pixels to another reader', async () => {
  const size = fc.integer({ min: 1, max: 20 })
  const picture = fc
    .tuple(size, size)
    .chain(([width, height]) =>
      fc
        .uint8Array({ minLength: width * height * 3, maxLength: width * height * 3 })
        .map(data => ({ width, height, data })),
    )
  await fc.assert(
    fc.asyncProperty(picture, async ({ width, height, data }) => {
      const read = await sharp(await encodePng({ width, height, data }))
        .raw()
        .toBuffer({ resolveWithObject: true })
      expect(read.info).toMatchObject({ width, height, channels: 3 })
      expect(new Uint8Array(read.data)).toEqual(data)
    }),
    { numRuns: 30 },
  )
})

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [99_960, '100 kB'],
  [999_600, '1.0 MB'],
  [3_600_000, '3.6 MB'],
  [176_901_927_168, '177 GB'],
])('%d bytes read as %s', (bytes, text) => {
  expect(describeBytes(bytes)).toBe(text)
})

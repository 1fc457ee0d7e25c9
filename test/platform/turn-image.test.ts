import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RgbImage } from '../../src/platform/platform.js'
import { turnImage } from '../../src/platform/turn-image.js'

const noPause = async () => {}

/** Where the pixel at (x, y) of the upright picture is stored, by the EXIF standard. */
type Place = (x: number, y: number, width: number, height: number) => readonly [x: number, y: number]
const PLACES: readonly Place[] = [
  (x, y) => [x, y],
  (x, y, width) => [width - 1 - x, y],
  (x, y, width, height) => [width - 1 - x, height - 1 - y],
  (x, y, _, height) => [x, height - 1 - y],
  (x, y) => [y, x],
  (x, y, _, height) => [y, height - 1 - x],
  (x, y, width, height) => [width - 1 - y, height - 1 - x],
  (x, y, width) => [width - 1 - y, x],
]

/** Pixel by pixel into a second picture. */
function turnPlainly({ width, height, data }: RgbImage, orientation: number): RgbImage {
  const [turnedWidth, turnedHeight] = orientation < 5 ? [width, height] : [height, width]
  const turned = new Uint8Array(data.length)
  for (let y = 0, target = 0; y < turnedHeight; y++) {
    for (let x = 0; x < turnedWidth; x++, target += 3) {
      const [storedX, storedY] = PLACES[orientation - 1]!(x, y, width, height)
      const source = (storedY * width + storedX) * 3
      turned.set(data.subarray(source, source + 3), target)
    }
  }
  return { width: turnedWidth, height: turnedHeight, data: turned }
}

/** No two pixels alike. */
function picture(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3)
  for (let i = 0; i < width * height; i++) data.set([i & 255, (i >> 8) & 255, (i >> 16) & 255], i * 3)
  return { width, height, data }
}

async function expectTurned(image: RgbImage, orientation: number): Promise<void> {
  const expected = turnPlainly(image, orientation)
  const turned = await turnImage(image, orientation, noPause)
  expect([turned.width, turned.height]).toEqual([expected.width, expected.height])
  expect(Buffer.compare(turned.data, expected.data)).toBe(0)
  expect(turned.data).toBe(image.data)
}

describe('turns a picture upright in its own memory', () => {
  const orientations = [1, 2, 3, 4, 5, 6, 7, 8]

  test.each(orientations)('orientation %i, of any size', async orientation => {
    const side = fc.integer({ min: 1, max: 300 })
    await fc.assert(
      fc.asyncProperty(side, side, (width, height) => expectTurned(picture(width, height), orientation)),
      { numRuns: 20 },
    )
  })

  // around the bands of 128 that rows and columns are exchanged in
  test.each([
    [1, 1],
    [128, 128],
    [256, 127],
    [129, 384],
    [3, 5000],
    [5000, 3],
    [1, 700],
    [700, 1],
  ])('%i x %i', async (width, height) => {
    for (const orientation of orientations) await expectTurned(picture(width, height), orientation)
  })

  test.each([0, 9, 65_535])('and leaves it for the value %i, which means nothing', async orientation => {
    const image = picture(5, 3)
    expect(await turnImage(image, orientation, noPause)).toBe(image)
  })
})

test('pauses while it turns a large picture', async () => {
  const image = picture(2400, 1800)
  let numPauses = 0
  const pause = async () => void numPauses++
  await turnImage(image, 6, pause)
  expect(numPauses).toBeGreaterThanOrEqual(10)
})

test('stops when a pause rejects', async () => {
  const stop = async () => Promise.reject(new Error('stopped'))
  await expect(turnImage(picture(2400, 1800), 6, stop)).rejects.toThrow('stopped')
})

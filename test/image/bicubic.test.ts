import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { resizeBicubic, resizeBicubicSteps } from '../../src/image/bicubic.js'
import { nodeImageDecoder } from '../../src/platform/node/image-decoder.js'
import type { RgbImage } from '../../src/platform/platform.js'
import { goldenImage, goldenRows, sha256 } from './golden.js'

const official = {
  applyExif: false,
  limits: { maxBytes: 20_000_000, maxPixels: 64_000_000, maxDecodeBytes: 200_000_000 },
}
const side = fc.integer({ min: 1, max: 40 })

describe('equals Pillow byte for byte', () => {
  interface Row {
    readonly image: string
    readonly width: number
    readonly height: number
    readonly sha256: string
  }
  test.each(goldenRows<Row>('resize.json'))('$image to $width x $height', async row => {
    const image = await nodeImageDecoder.decode(goldenImage(row.image), official)
    expect(sha256(resizeBicubic(image, row.width, row.height).data)).toBe(row.sha256)
  })
})

test('agrees with the plain algorithm on any size', () => {
  fc.assert(
    fc.property(side, side, side, side, fc.integer(), (width, height, toWidth, toHeight, seed) => {
      const image = noise(width, height, seed)
      expect(resizeBicubic(image, toWidth, toHeight).data).toEqual(plainResize(image, toWidth, toHeight))
    }),
    { numRuns: 300 },
  )
})

test.each([
  [1, 20_000, 448, 2688],
  [20_000, 1, 2688, 448],
  [3, 3, 448, 448],
])('agrees with the plain algorithm on %i x %i', (width, height, toWidth, toHeight) => {
  const image = noise(width, height, 7)
  expect(sha256(resizeBicubic(image, toWidth, toHeight).data)).toBe(
    sha256(plainResize(image, toWidth, toHeight)),
  )
})

test('keeps a picture of one colour', () => {
  const color = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255))
  fc.assert(
    fc.property(side, side, side, side, color, (width, height, toWidth, toHeight, rgb) => {
      const fill = (numPixels: number) => Uint8Array.from({ length: numPixels * 3 }, (_, i) => rgb[i % 3]!)
      const resized = resizeBicubic({ width, height, data: fill(width * height) }, toWidth, toHeight)
      expect(resized).toEqual({ width: toWidth, height: toHeight, data: fill(toWidth * toHeight) })
    }),
  )
})

test('leaves a picture of the right size as it is', () => {
  const image = noise(31, 17, 1)
  expect(resizeBicubic(image, 31, 17)).toBe(image)
})

test('works in steps, so that a large picture can be left in between', () => {
  const steps = resizeBicubicSteps(noise(1200, 900, 3), 448, 448)
  let numSteps = 0
  while (!steps.next().done) numSteps++
  expect(numSteps).toBeGreaterThan(1)
})

function noise(width: number, height: number, seed: number): RgbImage {
  let state = seed | 1
  const data = Uint8Array.from({ length: width * height * 3 }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    // extremes make the kernel overshoot, which the clamp must catch
    return (state >>> 30) & 1 ? (state >>> 16) & 255 : (state >>> 29) & 1 ? 255 : 0
  })
  return { width, height, data }
}

/** Pillow's algorithm as plainly as it can be written: no tables, no padding, no fast paths. */
function plainResize({ width, height, data }: RgbImage, toWidth: number, toHeight: number): Uint8Array {
  let pixels = data
  if (toWidth !== width) {
    pixels = plainPass(
      toWidth,
      width,
      height,
      (x, y) => (y * width + x) * 3,
      (x, y) => (y * toWidth + x) * 3,
      pixels,
    )
  }
  if (toHeight !== height) {
    pixels = plainPass(
      toHeight,
      height,
      toWidth,
      (y, x) => (y * toWidth + x) * 3,
      (y, x) => (y * toWidth + x) * 3,
      pixels,
    )
  }
  return pixels
}

function plainPass(
  to: number,
  from: number,
  numLines: number,
  sourceAt: (i: number, line: number) => number,
  targetAt: (i: number, line: number) => number,
  source: Uint8Array,
): Uint8Array {
  const target = new Uint8Array(to * numLines * 3)
  for (let i = 0; i < to; i++) {
    const { first, weights } = plainWeights(i, from, to)
    for (let line = 0; line < numLines; line++) {
      for (let channel = 0; channel < 3; channel++) {
        const sum = weights.reduce(
          (total, w, k) => total + w * source[sourceAt(first + k, line) + channel]!,
          2 ** 21,
        )
        target[targetAt(i, line) + channel] = Math.min(255, Math.max(0, Math.floor(sum / 2 ** 22)))
      }
    }
  }
  return target
}

function plainWeights(i: number, from: number, to: number) {
  const scale = from / to
  const filterScale = Math.max(scale, 1)
  const center = (i + 0.5) * scale
  const first = Math.max(0, Math.trunc(center - 2 * filterScale + 0.5))
  const last = Math.min(from, Math.trunc(center + 2 * filterScale + 0.5))
  const raw: number[] = []
  for (let x = first; x < last; x++) raw.push(kernel(Math.abs((x - center + 0.5) * (1 / filterScale))))
  const sum = raw.reduce((total, w) => total + w, 0)
  return { first, weights: raw.map(w => Math.trunc((w / sum) * 2 ** 22 + (w < 0 ? -0.5 : 0.5))) }
}

function kernel(x: number): number {
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0
}

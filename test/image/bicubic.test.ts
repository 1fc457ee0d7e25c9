import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { resizeBicubic, resizeBicubicInto } from '../../src/image/bicubic.js'
import { createResampleKernels } from '../../src/image/resample-memory.js'
import { type ResizeTarget, resampleSteps } from '../../src/image/resample-strip.js'
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
    expect(sha256((await resizeBicubic(image, row.width, row.height)).data)).toBe(row.sha256)
  })
})

test('agrees with the plain algorithm on any size', async () => {
  await fc.assert(
    fc.asyncProperty(side, side, side, side, fc.integer(), async (width, height, toWidth, toHeight, seed) => {
      const image = noise(width, height, seed)
      const resized = await resizeBicubic(image, toWidth, toHeight)
      expect(resized.data).toEqual(plainResize(image, toWidth, toHeight))
    }),
    { numRuns: 300 },
  )
})

test.each([
  [1, 20_000, 64, 2688],
  [20_000, 1, 2688, 448],
  [3, 3, 448, 448],
  // one is made in strips because it is wide, one because the filter spans many rows
  [150_001, 2, 897, 5],
  [2, 150_001, 5, 31],
])('agrees with the plain algorithm on %i x %i', async (width, height, toWidth, toHeight) => {
  const image = noise(width, height, 7)
  const resized = await resizeBicubic(image, toWidth, toHeight)
  expect(sha256(resized.data)).toBe(sha256(plainResize(image, toWidth, toHeight)))
})

test('clamps what overshoots, between and after the passes', async () => {
  const extremes = fc.array(fc.constantFrom(0, 255), { minLength: 300, maxLength: 300 })
  await fc.assert(
    fc.asyncProperty(extremes, side, side, async (values, toWidth, toHeight) => {
      const image = { width: 10, height: 10, data: Uint8Array.from(values) }
      const resized = await resizeBicubic(image, toWidth, toHeight)
      expect(resized.data).toEqual(plainResize(image, toWidth, toHeight))
    }),
  )
})

test('makes several sizes at once as it makes each alone', async () => {
  await fc.assert(
    fc.asyncProperty(
      side,
      side,
      fc.array(fc.tuple(side, side), { minLength: 1 }),
      async (width, height, sizes) => {
        const image = noise(width, height, 5)
        const canvases = sizes.map(([toWidth, toHeight]) => new Canvas(toWidth, toHeight))
        await resizeBicubicInto(image, canvases)
        for (const { width, height, data } of canvases) {
          expect(data).toEqual((await resizeBicubic(image, width, height)).data)
        }
      },
    ),
    { numRuns: 30 },
  )
})

test('hands over every pixel once, its rows from top to bottom', async () => {
  const image = noise(150_001, 2, 3)
  const rows: { readonly x: number; readonly y: number; readonly count: number }[] = []
  const write = (x: number, y: number, rgb: Uint8Array) => rows.push({ x, y, count: rgb.length / 3 })
  await resizeBicubicInto(image, [{ width: 100, height: 3, write }])
  const strips = new Map(rows.map(({ x }) => [x, rows.filter(row => row.x === x)]))
  expect(strips.size).toBeGreaterThan(1)
  for (const strip of strips.values()) expect(strip.map(({ y }) => y)).toEqual([0, 1, 2])
  expect(rows.filter(({ y }) => y === 0).reduce((sum, { count }) => sum + count, 0)).toBe(100)
})

test('keeps a picture of one colour', async () => {
  const color = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255))
  await fc.assert(
    fc.asyncProperty(side, side, side, side, color, async (width, height, toWidth, toHeight, rgb) => {
      const fill = (numPixels: number) => Uint8Array.from({ length: numPixels * 3 }, (_, i) => rgb[i % 3]!)
      const resized = await resizeBicubic({ width, height, data: fill(width * height) }, toWidth, toHeight)
      expect(resized).toEqual({ width: toWidth, height: toHeight, data: fill(toWidth * toHeight) })
    }),
  )
})

test('leaves a picture of the right size as it is', async () => {
  const image = noise(31, 17, 1)
  expect(await resizeBicubic(image, 31, 17)).toBe(image)
})

test('works in steps, so that a large picture can be left in between', async () => {
  const steps = resampleSteps(await createResampleKernels(), noise(1200, 900, 3), [new Canvas(448, 448)])
  let numSteps = 0
  while (!steps.next().done) numSteps++
  expect(numSteps).toBeGreaterThan(1)
})

test.each([
  [8000, 8000],
  [2_000_000, 1],
  [1, 60_000],
])('takes a few megabytes beside the pixels of %i x %i', async (width, height) => {
  const kernels = await createResampleKernels()
  const data = new Uint8Array(width * height * 3)
  const targets = [new Canvas(448, 896), new Canvas(448, 448)]
  const steps = resampleSteps(kernels, { width, height, data }, targets)
  while (!steps.next().done);
  expect(kernels.memory.buffer.byteLength).toBeLessThan(8_000_000)
})

test('many at a time get their own pixels, one that is aborted ends with its reason', async () => {
  const controller = new AbortController()
  const image = noise(300, 200, 9)
  const aborted = resizeBicubic(image, 50, 60, controller.signal)
  const others = [40, 41, 42].map(size => resizeBicubic(image, size, size))
  const waiting = resizeBicubic(image, 50, 60, controller.signal)
  controller.abort(new Error('enough'))
  await expect(aborted).rejects.toThrow('enough')
  await expect(waiting).rejects.toThrow('enough')
  for (const { width, height, data } of await Promise.all(others)) {
    expect(data).toEqual(plainResize(image, width, height))
  }
})

/** Puts rows together. */
class Canvas implements ResizeTarget {
  readonly data: Uint8Array

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.data = new Uint8Array(width * height * 3)
  }

  write(x: number, y: number, rgb: Uint8Array): void {
    this.data.set(rgb, 3 * (y * this.width + x))
  }
}

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
        let sum = 2 ** 21
        for (let k = 0; k < weights.length; k++) {
          sum += weights[k]! * source[sourceAt(first + k, line) + channel]!
        }
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

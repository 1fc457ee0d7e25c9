import type { RgbImage } from '../platform/platform.js'
import { PAIR_LENGTH, ResampleAxis } from './resample-axis.js'
import { MemoryPlan, type ResampleKernels, roomyLength } from './resample-memory.js'

/** Where the pixels of one size go. */
export interface ResizeTarget {
  readonly width: number
  readonly height: number
  /** Take pixels of row `y` from column `x` on: uint8 [n, 3], which are others when it has returned. */
  write(x: number, y: number, rgb: Uint8Array): void
}

/** A target with the filters that lead to it. */
interface Resampling {
  readonly target: ResizeTarget
  readonly horizontal: ResampleAxis
  readonly vertical: ResampleAxis
}

/** Some neighbouring output columns of one target, with the places of their arrays in the memory. */
interface Columns extends Resampling {
  readonly first: number
  readonly count: number
  /** Int32 [count]: bytes from the first pair of pixels. */
  readonly starts: number
  readonly weights: number
  /** Pairs of rows between the two passes, the latest over the oldest. */
  readonly ring: number
  readonly ringPairs: number
  readonly stride: number
  readonly rowWeights: number
  readonly row: number
}

/** Rows that the code filters at once from left to right. */
const BAND_ROWS = 4

/** Pixels that it widens at once. */
const QUAD = 4

/** Bytes that it makes of two pixels of a band. */
const PIXEL_PAIR_BYTES = 48

/** Bytes of a column in a pair of rows between the two passes. */
const ROW_PAIR_BYTES = 12

/** Bytes of a pair of weights. */
const WEIGHT_PAIR_BYTES = 2 * PAIR_LENGTH

/** Multiplications between two pauses: a millisecond, some more before the code is optimised. */
const STEP_WORK = 8_000_000

/** A picture that needs more memory than this beside its pixels is made in strips. */
const MAX_STRIP_BYTES = 4_000_000

/**
 * Resize to several sizes at once with Pillow's bicubic filter, in steps of a millisecond or a few.
 *
 * The memory of `kernels` grows to about 4 MB, or to what a strip takes that is one pixel of the smallest target wide.
 */
export function* resampleSteps(
  kernels: ResampleKernels,
  image: RgbImage,
  targets: readonly ResizeTarget[],
): Generator<undefined, void, undefined> {
  const resamplings = targets.map(target => ({
    target,
    horizontal: new ResampleAxis(image.width, target.width),
    vertical: new ResampleAxis(image.height, target.height),
  }))
  const wanted = Math.ceil(resampleBytes(image.width, resamplings) / MAX_STRIP_BYTES)
  const numStrips = Math.min(wanted, ...targets.map(({ width }) => width))
  for (let index = 0; index < numStrips; index++) {
    yield* new ResampleStrip(kernels, image, resamplings, index, numStrips).run()
    yield
  }
}

/** Memory that it takes to make all columns at once, in bytes, about. */
function resampleBytes(width: number, resamplings: readonly Resampling[]): number {
  return resamplings.reduce(
    (sum, { target, horizontal, vertical }) =>
      sum + target.width * (horizontal.numPairs * WEIGHT_PAIR_BYTES + ringPairsOf(vertical) * ROW_PAIR_BYTES),
    width * (3 * BAND_ROWS + PIXEL_PAIR_BYTES / 2),
  )
}

/**
 * Makes a strip of all targets, from the left to the right edge of the picture or less: as wide as memory is to be bounded.
 *
 * The picture is read once from top to bottom. Four rows at a time are filtered from left to right, for all targets; as soon as
 * the rows that an output row takes are there, it is filtered and handed over. Nothing else is kept.
 */
class ResampleStrip {
  readonly #columns: readonly Columns[]
  /** First pixel of a row that is read, and the one behind the last. */
  readonly #from: number
  readonly #to: number
  readonly #source: number
  readonly #pairs: number
  readonly #bytes: Uint8Array

  /** @param index - the strip, of `numStrips` */
  constructor(
    private readonly kernels: ResampleKernels,
    private readonly image: RgbImage,
    resamplings: readonly Resampling[],
    index: number,
    numStrips: number,
  ) {
    const plan = new MemoryPlan()
    this.#columns = resamplings.map(resampling => planColumns(plan, resampling, index, numStrips))
    const firstPair = Math.min(...this.#columns.map(({ first, horizontal }) => horizontal.firstPair(first)))
    const endPair = Math.max(
      ...this.#columns.map(
        ({ first, count, horizontal }) => horizontal.firstPair(first + count - 1) + horizontal.numPairs,
      ),
    )
    this.#from = 2 * firstPair
    this.#to = Math.min(image.width, 2 * endPair)
    this.#source = plan.take(BAND_ROWS * this.#rowBytes)
    this.#pairs = plan.take((endPair - firstPair + QUAD / 2) * PIXEL_PAIR_BYTES)
    plan.apply(kernels.memory)
    this.#bytes = new Uint8Array(kernels.memory.buffer)
    for (const columns of this.#columns) writeColumnWeights(kernels.memory.buffer, columns, firstPair)
  }

  /** Make all rows of the strip, with pauses. */
  *run(): Generator<undefined, void, undefined> {
    const { height } = this.image
    const numDone = this.#columns.map(() => 0)
    let work = 0
    for (let top = 0; top < height; top += BAND_ROWS) {
      const endPair = top + BAND_ROWS < height ? (top + BAND_ROWS) / 2 : Number.POSITIVE_INFINITY
      this.#readBand(top)
      for (const [index, columns] of this.#columns.entries()) {
        work += this.#filterBand(columns, top)
        const { target, vertical } = columns
        for (let y = numDone[index]!; y < target.height; y++) {
          if (vertical.firstPair(y) + vertical.numPairs > endPair) break
          work += this.#makeRow(columns, y)
          numDone[index] = y + 1
          if (work < STEP_WORK) continue
          work = 0
          yield
        }
      }
      if (work < STEP_WORK) continue
      work = 0
      yield
    }
  }

  get #rowBytes(): number {
    return 3 * (this.#to - this.#from)
  }

  /** The last band may have fewer rows; what is left of others gets no weight. */
  #readBand(top: number): void {
    const { width, height, data } = this.image
    for (let row = 0; row < Math.min(BAND_ROWS, height - top); row++) {
      const start = 3 * ((top + row) * width + this.#from)
      this.#bytes.set(data.subarray(start, start + this.#rowBytes), this.#source + row * this.#rowBytes)
    }
    const numQuads = Math.ceil((this.#to - this.#from) / QUAD)
    this.kernels.pairColumns(this.#source, this.#rowBytes, numQuads, this.#pairs)
  }

  /** @returns the multiplications that it took */
  #filterBand({ horizontal, starts, weights, count, ring, ringPairs, stride }: Columns, top: number): number {
    const upper = ring + ((top / 2) % ringPairs) * stride
    const lower = ring + ((top / 2 + 1) % ringPairs) * stride
    this.kernels.filterColumns(this.#pairs, starts, weights, horizontal.numPairs, count, upper, lower)
    return count * 3 * BAND_ROWS * 2 * horizontal.numPairs
  }

  /** @returns the multiplications that it took */
  #makeRow(columns: Columns, y: number): number {
    const { target, vertical, first, count, ring, ringPairs, stride, rowWeights, row } = columns
    const { numPairs } = vertical
    vertical.writeWeights(y, new Int16Array(this.kernels.memory.buffer, rowWeights), 0)
    const start = ring + (vertical.firstPair(y) % ringPairs) * stride
    const ringEnd = ring + ringPairs * stride
    this.kernels.filterRows(ring, ringEnd, stride, start, rowWeights, numPairs, 3 * count, row)
    target.write(first, y, this.#bytes.subarray(row, row + 3 * count))
    return count * 3 * 2 * numPairs
  }
}

/** What one output row takes, and the two pairs of a band. */
function ringPairsOf({ numPairs }: ResampleAxis): number {
  return numPairs + BAND_ROWS / 2
}

function planColumns(plan: MemoryPlan, resampling: Resampling, index: number, numStrips: number): Columns {
  const { target, horizontal, vertical } = resampling
  const first = Math.floor((target.width * index) / numStrips)
  const count = Math.floor((target.width * (index + 1)) / numStrips) - first
  const ringPairs = ringPairsOf(vertical)
  const stride = roomyLength(count * ROW_PAIR_BYTES)
  return {
    ...resampling,
    first,
    count,
    starts: plan.take(count * 4),
    weights: plan.take(count * horizontal.numPairs * WEIGHT_PAIR_BYTES),
    ring: plan.take(ringPairs * stride),
    ringPairs,
    stride,
    rowWeights: plan.take(vertical.numPairs * WEIGHT_PAIR_BYTES),
    row: plan.take(3 * count),
  }
}

function writeColumnWeights(
  buffer: ArrayBuffer,
  { horizontal, first, count, starts, weights }: Columns,
  firstPair: number,
): void {
  const startsView = new Int32Array(buffer, starts, count)
  const weightsView = new Int16Array(buffer, weights)
  for (let i = 0; i < count; i++) {
    startsView[i] = (horizontal.firstPair(first + i) - firstPair) * PIXEL_PAIR_BYTES
    horizontal.writeWeights(first + i, weightsView, i * horizontal.numPairs * PAIR_LENGTH)
  }
}

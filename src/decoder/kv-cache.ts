import type { SessionTensor } from '../backend/backend.js'
import { type FloatCopy, type FloatMemory, type Floats, hostMemory } from '../backend/device-memory.js'

/** Sizes of a cache. */
export interface KvCacheShape {
  readonly numLayers: number
  readonly numKeyValueHeads: number
  readonly headDim: number
}

/**
 * Name of the output that has the new rows of all layers: float32 [layers * 2 * rows of the run, keyValueHeads, headDim], the
 * keys of a layer, its values, the keys of the next.
 */
export const NEW_ROWS = 'newRows'

/** Name of the input that has the past rows of a layer: float32 [past, keyValueHeads, headDim]. */
function pastRowsName(kind: 'Key' | 'Value', layer: number, slot: number): string {
  return `past${kind}.${layer}.${slot}`
}

/** Inputs of a slot that nobody uses: one row of zeros a layer. */
export function emptyFeeds(
  { numLayers, numKeyValueHeads, headDim }: KvCacheShape,
  slot: number,
): Record<string, SessionTensor> {
  const data = new Float32Array(numKeyValueHeads * headDim)
  const tensor = { type: 'float32', data, dims: [1, numKeyValueHeads, headDim] } as const
  const feeds: Record<string, SessionTensor> = {}
  for (let layer = 0; layer < numLayers; layer++) {
    feeds[pastRowsName('Key', layer, slot)] = tensor
    feeds[pastRowsName('Value', layer, slot)] = tensor
  }
  return feeds
}

/** Rows that a buffer starts with; it doubles when they are used up. */
const FIRST_CAPACITY = 256

/**
 * Keys and values of one sequence: a buffer each for every layer, position by position, so that its first
 * `length` rows are one contiguous view that the graph reads in place.
 *
 * Memory is taken as the sequence grows, up to `maxLength` rows. It is that of the device where sessions have such: then
 * rows never come to JavaScript.
 */
export class KvCache {
  /** Keys and values of each layer in turn. */
  private buffers: readonly Floats[]
  private capacity: number
  private rows = 0

  constructor(
    private readonly shape: KvCacheShape,
    readonly maxLength: number,
    private readonly memory: FloatMemory = hostMemory,
  ) {
    this.capacity = Math.min(FIRST_CAPACITY, maxLength)
    this.buffers = this.allocate()
  }

  get length(): number {
    return this.rows
  }

  /** Memory of the buffers, used rows or not. */
  get byteLength(): number {
    return this.buffers.length * this.capacity * this.rowLength * Float32Array.BYTES_PER_ELEMENT
  }

  /** A cache of its own with a copy of the first `length` rows. */
  fork(length: number): KvCache {
    const copy = new KvCache(this.shape, this.maxLength, this.memory)
    copy.reserve(length)
    this.copyRows(copy.buffers, length)
    copy.rows = length
    return copy
  }

  /** First row that `feeds` can begin with when those before `wanted` need not be fed. */
  firstRow(wanted: number): number {
    return this.memory.hasViews ? Math.max(0, wanted) : 0
  }

  /**
   * The rows from `start` on, as `firstRow` gave it, as the graph inputs of a slot: views, valid until the next `append`.
   *
   * Where there is none, a row of some numbers takes their place, for engines can't read an empty past: the caller masks it.
   */
  feeds(start = 0, slot = 0): Record<string, SessionTensor> {
    const { numKeyValueHeads, headDim } = this.shape
    const [first, end] = start < this.rows ? [start, this.rows] : [0, 1]
    const dims = [end - first, numKeyValueHeads, headDim]
    const feeds: Record<string, SessionTensor> = {}
    for (const [index, buffer] of this.buffers.entries()) {
      const data = this.memory.view(buffer, first * this.rowLength, end * this.rowLength)
      feeds[pastRowsName(index % 2 === 0 ? 'Key' : 'Value', index >> 1, slot)] = {
        type: 'float32',
        data,
        dims,
      }
    }
    return feeds
  }

  /**
   * Add new rows of a run, from `firstRow` of each layer on.
   *
   * @param newRows - the output `NEW_ROWS`
   */
  append(newRows: SessionTensor, numRows: number, firstRow = 0): void {
    this.reserve(this.rows + numRows)
    const rowsOfRun = newRows.dims[0]! / this.buffers.length
    const copies = this.buffers.map((to, index): FloatCopy => {
      return {
        from: newRows.data as Floats,
        fromStart: (index * rowsOfRun + firstRow) * this.rowLength,
        to,
        toStart: this.rows * this.rowLength,
        length: numRows * this.rowLength,
      }
    })
    this.memory.copy(copies)
    this.rows += numRows
  }

  /** Forget all rows from `length` on. */
  truncate(length: number): void {
    this.rows = Math.min(this.rows, length)
  }

  /** Give the memory back. */
  dispose(): void {
    this.rows = 0
    for (const buffer of this.buffers) this.memory.release(buffer)
    this.buffers = []
  }

  /** Numbers of one row of a buffer. */
  private get rowLength(): number {
    return this.shape.numKeyValueHeads * this.shape.headDim
  }

  private allocate(): readonly Floats[] {
    const length = this.capacity * this.rowLength
    return Array.from({ length: 2 * this.shape.numLayers }, () => this.memory.allocate(length))
  }

  private reserve(rows: number): void {
    if (rows <= this.capacity) return
    this.capacity = Math.min(Math.max(this.capacity * 2, rows), this.maxLength)
    const old = this.buffers
    const grown = this.allocate()
    this.copyRows(grown, this.rows)
    this.buffers = grown
    for (const buffer of old) this.memory.release(buffer)
  }

  /** Copy the first `numRows` rows of every buffer to those of another cache of this shape. */
  private copyRows(targets: readonly Floats[], numRows: number): void {
    if (numRows === 0) return
    const length = numRows * this.rowLength
    const copies = this.buffers.map((from, index) => {
      return { from, fromStart: 0, to: targets[index]!, toStart: 0, length }
    })
    this.memory.copy(copies)
  }
}

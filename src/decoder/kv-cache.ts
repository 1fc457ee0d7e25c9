import type { BackendTensor } from '../backend/backend.js'

/** Sizes of a cache. */
export interface KvCacheShape {
  readonly numLayers: number
  readonly numKeyValueHeads: number
  readonly headDim: number
}

/** Rows that a buffer starts with; it doubles when they are used up. */
const FIRST_CAPACITY = 256

/**
 * Keys and values of one sequence: a buffer for each layer and key head, so that its first `length` rows are one
 * contiguous view that the graph reads in place.
 *
 * Memory is taken as the sequence grows, up to `maxLength` rows.
 */
export class KvCache {
  private readonly buffers = new Map<string, Float32Array>()
  private capacity: number
  private rows = 0

  constructor(
    private readonly shape: KvCacheShape,
    readonly maxLength: number,
  ) {
    this.capacity = Math.min(FIRST_CAPACITY, maxLength)
    for (const name of this.names()) this.buffers.set(name, new Float32Array(this.capacity * shape.headDim))
  }

  get length(): number {
    return this.rows
  }

  /** Memory of the buffers, used rows or not. */
  get byteLength(): number {
    return this.buffers.size * this.capacity * this.shape.headDim * Float32Array.BYTES_PER_ELEMENT
  }

  /** A cache of its own with a copy of the first `length` rows. */
  fork(length: number): KvCache {
    const copy = new KvCache(this.shape, this.maxLength)
    copy.reserve(length)
    for (const [name, buffer] of this.buffers) {
      copy.buffers.get(name)!.set(buffer.subarray(0, length * this.shape.headDim))
    }
    copy.rows = length
    return copy
  }

  /** The rows from `start` on as graph inputs: views, valid until the next `append`. */
  feeds(start = 0): Record<string, BackendTensor> {
    const { headDim } = this.shape
    const feeds: Record<string, BackendTensor> = {}
    for (const [name, buffer] of this.buffers) {
      feeds[name] = {
        type: 'float32',
        data: buffer.subarray(start * headDim, this.rows * headDim),
        dims: [this.rows - start, headDim],
      }
    }
    return feeds
  }

  /** Add the new rows of a run: `newKey.<layer>`, `newValue.<layer>` float32 [keyValueHeads, numRows, headDim]. */
  append(outputs: Readonly<Record<string, BackendTensor>>, numRows: number): void {
    this.reserve(this.rows + numRows)
    const { headDim, numKeyValueHeads, numLayers } = this.shape
    const length = numRows * headDim
    for (const kind of ['Key', 'Value'] as const) {
      for (let layer = 0; layer < numLayers; layer++) {
        const rows = outputs[`new${kind}.${layer}`]!.data as Float32Array
        for (let head = 0; head < numKeyValueHeads; head++) {
          const buffer = this.buffers.get(`past${kind}.${layer}.${head}`)!
          buffer.set(rows.subarray(head * length, (head + 1) * length), this.rows * headDim)
        }
      }
    }
    this.rows += numRows
  }

  /** Add a row of zeros. */
  appendZeros(): void {
    this.reserve(this.rows + 1)
    const { headDim } = this.shape
    for (const buffer of this.buffers.values()) buffer.fill(0, this.rows * headDim, (this.rows + 1) * headDim)
    this.rows++
  }

  /** Forget all rows from `length` on. */
  truncate(length: number): void {
    this.rows = Math.min(this.rows, length)
  }

  /** Give the memory back. */
  dispose(): void {
    this.rows = 0
    this.buffers.clear()
  }

  private *names(): Iterable<string> {
    for (let layer = 0; layer < this.shape.numLayers; layer++) {
      for (let head = 0; head < this.shape.numKeyValueHeads; head++) {
        yield `pastKey.${layer}.${head}`
        yield `pastValue.${layer}.${head}`
      }
    }
  }

  private reserve(rows: number): void {
    if (rows <= this.capacity) return
    const { headDim } = this.shape
    this.capacity = Math.min(Math.max(this.capacity * 2, rows), this.maxLength)
    for (const [name, buffer] of this.buffers) {
      const grown = new Float32Array(this.capacity * headDim)
      grown.set(buffer.subarray(0, this.rows * headDim))
      this.buffers.set(name, grown)
    }
  }
}

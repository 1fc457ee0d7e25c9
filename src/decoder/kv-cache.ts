import type { SessionTensor } from '../backend/backend.js'
import { type FloatCopy, type FloatMemory, type Floats, hostMemory } from '../backend/device-memory.js'

/** Sizes of a cache. */
export interface KvCacheShape {
  readonly numLayers: number
  readonly numKeyValueHeads: number
  readonly headDim: number
}

/** Name of the output that has the new rows of a layer: float32 [keyValueHeads, numRows, headDim]. */
export function newRowsName(kind: 'Key' | 'Value', layer: number): string {
  return `new${kind}.${layer}`
}

/** Names of all outputs that `append` takes. */
export function newRowsNames(numLayers: number): readonly string[] {
  const layers = Array.from({ length: numLayers }, (_, layer) => layer)
  return (['Key', 'Value'] as const).flatMap(kind => layers.map(layer => newRowsName(kind, layer)))
}

/** Rows that a buffer starts with; it doubles when they are used up. */
const FIRST_CAPACITY = 256

/**
 * Keys and values of one sequence: a buffer for each layer and key head, so that its first `length` rows are one
 * contiguous view that the graph reads in place.
 *
 * Memory is taken as the sequence grows, up to `maxLength` rows. It is that of the device where sessions have such: then
 * rows never come to JavaScript.
 */
export class KvCache {
  private readonly buffers = new Map<string, Floats>()
  private capacity: number
  private rows = 0

  constructor(
    private readonly shape: KvCacheShape,
    readonly maxLength: number,
    private readonly memory: FloatMemory = hostMemory,
  ) {
    this.capacity = Math.min(FIRST_CAPACITY, maxLength)
    for (const name of this.names()) this.buffers.set(name, memory.allocate(this.capacity * shape.headDim))
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

  /** The rows from `start` on, as `firstRow` gave it, as graph inputs: views, valid until the next `append`. */
  feeds(start = 0): Record<string, SessionTensor> {
    const { headDim } = this.shape
    const feeds: Record<string, SessionTensor> = {}
    for (const [name, buffer] of this.buffers) {
      feeds[name] = {
        type: 'float32',
        data: this.memory.view(buffer, start * headDim, this.rows * headDim),
        dims: [this.rows - start, headDim],
      }
    }
    return feeds
  }

  /** Add the new rows of a run: `newKey.<layer>`, `newValue.<layer>` float32 [keyValueHeads, numRows, headDim]. */
  append(outputs: Readonly<Record<string, SessionTensor>>, numRows: number): void {
    this.reserve(this.rows + numRows)
    const { headDim, numKeyValueHeads, numLayers } = this.shape
    const length = numRows * headDim
    const copies: FloatCopy[] = []
    for (const kind of ['Key', 'Value'] as const) {
      for (let layer = 0; layer < numLayers; layer++) {
        const from = outputs[newRowsName(kind, layer)]!.data as Floats
        for (let head = 0; head < numKeyValueHeads; head++) {
          const to = this.buffers.get(`past${kind}.${layer}.${head}`)!
          copies.push({ from, fromStart: head * length, to, toStart: this.rows * headDim, length })
        }
      }
    }
    this.memory.copy(copies)
    this.rows += numRows
  }

  /** Add a row of zeros. */
  appendZeros(): void {
    this.reserve(this.rows + 1)
    const { headDim } = this.shape
    this.memory.clear(
      [...this.buffers.values()].map(block => ({ block, start: this.rows * headDim, length: headDim })),
    )
    this.rows++
  }

  /** Forget all rows from `length` on. */
  truncate(length: number): void {
    this.rows = Math.min(this.rows, length)
  }

  /** Give the memory back. */
  dispose(): void {
    this.rows = 0
    for (const buffer of this.buffers.values()) this.memory.release(buffer)
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
    const old = [...this.buffers.values()]
    const grown = new Map(
      [...this.names()].map(name => [name, this.memory.allocate(this.capacity * headDim)]),
    )
    this.copyRows(grown, this.rows)
    for (const [name, buffer] of grown) this.buffers.set(name, buffer)
    for (const buffer of old) this.memory.release(buffer)
  }

  /** Copy the first `numRows` rows of every buffer to those of the same names. */
  private copyRows(targets: ReadonlyMap<string, Floats>, numRows: number): void {
    if (numRows === 0) return
    const length = numRows * this.shape.headDim
    const copies = [...this.buffers].map(([name, from]) => ({
      from,
      fromStart: 0,
      to: targets.get(name)!,
      toStart: 0,
      length,
    }))
    this.memory.copy(copies)
  }
}

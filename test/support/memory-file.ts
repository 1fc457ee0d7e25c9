import type { RandomAccessFile } from '../../src/platform/platform.js'

/** A file in memory that counts what is read of it. `size` may be larger than `bytes`: the rest reads as zeros. */
export class MemoryFile implements RandomAccessFile {
  readonly size: number
  numBytesRead = 0
  isClosed = false

  constructor(
    readonly path: string,
    private readonly bytes: Uint8Array,
    size = bytes.length,
  ) {
    this.size = size
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset + length > this.size) throw new RangeError(`read of ${offset}+${length}, size ${this.size}`)
    this.numBytesRead += length
    const result = new Uint8Array(length)
    result.set(this.bytes.subarray(offset, offset + length))
    return result
  }

  async close(): Promise<void> {
    this.isClosed = true
  }
}

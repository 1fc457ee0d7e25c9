import { type FileHandle, open } from 'node:fs/promises'

/** Bytes of one piece of a matrix when a file is written. */
const PIECE_BYTES = 8 * 2 ** 20

/** A file written from start to end, piece by piece, with its arrays at aligned places. */
export class DataFile {
  private offset = 0

  private constructor(private readonly handle: FileHandle) {}

  static async create(path: string): Promise<DataFile> {
    return new DataFile(await open(path, 'w'))
  }

  /** Bytes written so far. */
  get length(): number {
    return this.offset
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.handle.write(bytes, done, bytes.length - done, this.offset)
      done += bytesWritten
      this.offset += bytesWritten
    }
  }

  /** Fill up with zeros to a multiple of `alignment`. */
  async align(alignment: number): Promise<void> {
    const missing = (alignment - (this.offset % alignment)) % alignment
    if (missing > 0) await this.write(new Uint8Array(missing))
  }

  async close(): Promise<void> {
    await this.handle.close()
  }
}

/** Cut `rows` rows of `rowBytes` bytes into pieces of some megabytes. */
export function* rowPieces(rows: number, rowBytes: number): Generator<{ first: number; count: number }> {
  const step = Math.max(1, Math.floor(PIECE_BYTES / rowBytes))
  for (let first = 0; first < rows; first += step) yield { first, count: Math.min(step, rows - first) }
}

/** The bytes of any typed array. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
}

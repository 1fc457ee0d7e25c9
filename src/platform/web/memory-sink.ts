import type { DownloadSink } from './download.js'

/** Chunks are joined to blobs of this size: the browser can keep those outside of its heap. */
const BLOB_BYTES = 16_000_000

/** A download that is kept as long as the page, where there is no place to store it. */
export class MemorySink implements DownloadSink {
  private blobs: Blob[] = []
  private chunks: Uint8Array[] = []
  private chunkBytes = 0
  private total = 0

  get size(): number {
    return this.total
  }

  async *pieces(): AsyncIterable<Uint8Array> {
    for (const blob of this.blobs) yield new Uint8Array(await blob.arrayBuffer())
    yield* this.chunks
  }

  append(bytes: Uint8Array): void {
    this.chunks.push(bytes)
    this.chunkBytes += bytes.byteLength
    this.total += bytes.byteLength
    if (this.chunkBytes >= BLOB_BYTES) this.join()
  }

  reset(): void {
    this.blobs = []
    this.chunks = []
    this.chunkBytes = 0
    this.total = 0
  }

  /** What has arrived. */
  toBlob(): Blob {
    this.join()
    return new Blob(this.blobs)
  }

  private join(): void {
    this.blobs.push(new Blob(this.chunks as Uint8Array<ArrayBuffer>[]))
    this.chunks = []
    this.chunkBytes = 0
  }
}

import type { Hash } from 'node:crypto'
import { type FileHandle, rename, rm } from 'node:fs/promises'
import type { BlobSpec, PartialBlob } from '../../blob-store.js'
import { type ByteRange, ByteRanges } from '../../byte-ranges.js'
import { failWriting } from '../fail-writing.js'
import { createBlobHash } from './blob-hash.js'
import { type JournalEntry, journalText } from './partial-journal.js'

/**
 * Recorded is after so many bytes. As many may come while they are recorded, and each of eight connections has a piece of
 * 64 KiB in its hands: a killed process loses a mebibyte at most.
 */
const RECORD_BYTES = 1 << 18

const HASH_PIECE_BYTES = 1 << 20

/** Writes bytes at a place of an open file; tests pass their own to fill the disk. */
export type WriteBytes = (handle: FileHandle, bytes: Uint8Array, offset: number) => Promise<void>

/** The files of a blob that is being received. */
export interface PartialFiles {
  readonly path: string
  readonly journalPath: string
  /** Open for reading and writing. */
  readonly data: FileHandle
  /** Open for appending. */
  readonly journal: FileHandle
  readonly write: WriteBytes
  /** Name that the blob gets. */
  readonly target: string
  /** Called once, when this process has no more to do with it. */
  readonly onClose: () => void
}

/** A blob in a file of its own, with a journal of the ranges that were received. */
export class NodePartialBlob implements PartialBlob {
  readonly received: readonly ByteRange[]
  etag: string | undefined
  private there: ByteRanges
  private unrecorded = new ByteRanges()
  private recording: Promise<void> = Promise.resolve()
  private hasher: Hash
  private numHashed = 0
  private hashing: Promise<void> | undefined
  private isClosed = false

  constructor(
    private readonly blob: BlobSpec,
    private readonly files: PartialFiles,
    found: { readonly ranges: readonly ByteRange[]; readonly etag: string | undefined },
  ) {
    this.received = found.ranges
    this.etag = found.etag
    this.there = new ByteRanges(found.ranges)
    this.hasher = createBlobHash(blob.algorithm, blob.size)
  }

  async setEtag(etag: string): Promise<void> {
    this.etag = etag
    await this.append([{ etag }])
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    const range = { start: offset, end: offset + bytes.byteLength }
    await this.files.write(this.files.data, bytes, offset).catch(cause => failWriting(this.files.path, cause))
    this.there.add(range)
    this.unrecorded.add(range)
    if (this.unrecorded.numBytes >= RECORD_BYTES) await this.record()
  }

  async hash(): Promise<string> {
    while (this.numHashed < this.there.prefixEnd) await this.followWrites()
    return this.hasher.copy().digest('hex')
  }

  async publish(): Promise<void> {
    const { data, path, target, journalPath } = this.files
    try {
      await data.datasync()
      await this.shut()
      await rename(path, target)
      await rm(journalPath, { force: true })
    } catch (cause) {
      failWriting(target, cause)
    }
  }

  async reset(): Promise<void> {
    await this.hashing?.catch(() => {})
    this.there = new ByteRanges()
    this.unrecorded = new ByteRanges()
    this.etag = undefined
    this.numHashed = 0
    this.hasher = createBlobHash(this.blob.algorithm, this.blob.size)
    await this.append(['forget'])
    await this.files.data.truncate(0).catch(cause => failWriting(this.files.path, cause))
  }

  async close(): Promise<void> {
    if (this.isClosed) return
    try {
      await this.record()
    } finally {
      await this.shut()
    }
  }

  private async shut(): Promise<void> {
    if (this.isClosed) return
    this.isClosed = true
    await this.recording.catch(() => {})
    await this.hashing?.catch(() => {})
    await this.files.data.close()
    await this.files.journal.close()
    this.files.onClose()
  }

  /** Note what was written, and let the hash follow. */
  private async record(): Promise<void> {
    const ranges = this.unrecorded.list
    this.unrecorded = new ByteRanges()
    // a failure of the disk comes out of `hash` too, which waits for it
    this.followWrites().catch(() => {})
    if (ranges.length > 0) await this.append(ranges)
  }

  private append(entries: readonly JournalEntry[]): Promise<void> {
    this.recording = this.recording.then(async () => {
      await this.files.journal
        .appendFile(journalText(entries))
        .catch(cause => failWriting(this.files.journalPath, cause))
    })
    return this.recording
  }

  /** Hash what has no gap before it, read back from the file: what counts is what the disk has. */
  private followWrites(): Promise<void> {
    this.hashing ??= this.hashPrefix().finally(() => {
      this.hashing = undefined
    })
    return this.hashing
  }

  private async hashPrefix(): Promise<void> {
    const piece = new Uint8Array(HASH_PIECE_BYTES)
    while (this.numHashed < this.there.prefixEnd && !this.isClosed) {
      const length = Math.min(piece.byteLength, this.there.prefixEnd - this.numHashed)
      const { bytesRead } = await this.files.data.read(piece, 0, length, this.numHashed)
      if (bytesRead === 0) failWriting(this.files.path, new Error('the file was cut'))
      this.hasher.update(piece.subarray(0, bytesRead))
      this.numHashed += bytesRead
    }
  }
}

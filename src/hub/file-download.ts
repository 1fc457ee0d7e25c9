import { NVLMError } from '../core/errors.js'
import type { BlobStore, PartialBlob } from '../platform/blob-store.js'
import { type ByteRange, ByteRanges } from '../platform/byte-ranges.js'
import type { ProgressMeter } from './download-progress.js'
import { RangeRefused } from './http-failures.js'
import type { HubClient } from './hub-client.js'
import { receiveRange } from './receive-range.js'
import type { RepoFile } from './repo-listing.js'

/** Bytes that one request asks for; larger files come over several connections. */
export const STRETCH_BYTES = 64 << 20

/** What the download of a file works with. */
export interface FileDownloadContext {
  readonly client: HubClient
  readonly store: BlobStore
  readonly meter: ProgressMeter
  /** Folder of the blobs. */
  readonly blobFolder: string
  /** Name of a file for messages. */
  readonly describe: (file: RepoFile) => string
  readonly urlOf: (file: RepoFile) => string
  /** Give a file that is whole and checked its name in the snapshot. */
  readonly place: (file: RepoFile) => Promise<void>
  readonly stretchBytes: number
}

/** One file on its way into the cache; several connections may work on it. */
export class FileDownload {
  private partial: PartialBlob | undefined
  private opening: Promise<PartialBlob> | undefined
  /** Ranges that nobody works on yet; undefined before the first is taken. */
  private waiting: ByteRange[] | undefined
  private numActive = 0
  /** Bytes of this file that progress counts as done. */
  private numCounted = 0
  private hasBegunAgain = false
  private sendsParts = true
  /** Aborts the requests of this file, to begin it again. */
  private round = new AbortController()

  constructor(
    readonly file: RepoFile,
    private readonly context: FileDownloadContext,
  ) {}

  /** Take a range to work on; undefined if all are taken. */
  async take(): Promise<ByteRange | undefined> {
    const partial = await this.open()
    if (this.waiting === undefined) {
      const received = new ByteRanges(partial.received)
      this.numCounted = received.numBytes
      this.waiting = this.plan(received)
    }
    const range = this.waiting.shift()
    if (range) this.numActive++
    return range
  }

  /** Fetch a range; whoever fetches the last one checks the file and gives it its place. */
  async work(range: ByteRange, signal: AbortSignal): Promise<void> {
    const partial = await this.open()
    const { round } = this
    try {
      await this.receive(range, partial, AbortSignal.any([signal, round.signal]))
    } catch (error) {
      signal.throwIfAborted()
      if (!round.signal.aborted) this.beginAgainAfter(error)
    } finally {
      this.numActive--
    }
    if (this.numActive > 0) return
    if (round.signal.aborted) await this.reset(partial)
    else if (this.waiting!.length === 0) await this.settle(partial)
  }

  /** Keep what has come for the next run. */
  async close(): Promise<void> {
    await this.opening?.catch(() => {})
    await this.partial?.close()
  }

  private open(): Promise<PartialBlob> {
    this.opening ??= this.context.store.openPartial(this.context.blobFolder, this.file.blob).then(partial => {
      this.partial = partial
      return partial
    })
    return this.opening
  }

  /** An empty file, and one that was all received before it was checked, have an empty range to work on. */
  private plan(received: ByteRanges): ByteRange[] {
    const { size } = this.file.blob
    const gaps = received.gaps(size, this.sendsParts ? this.context.stretchBytes : size)
    return gaps.length > 0 ? [...gaps] : [{ start: size, end: size }]
  }

  private async receive(range: ByteRange, partial: PartialBlob, signal: AbortSignal): Promise<void> {
    const { client, urlOf, meter, describe } = this.context
    const outcome = await receiveRange(client, {
      ...{
        url: urlOf(this.file),
        what: describe(this.file),
        size: this.file.blob.size,
        range,
        partial,
        signal,
      },
      onBytes: numBytes => {
        this.numCounted += numBytes
        meter.receive(numBytes)
      },
    })
    if (outcome === 'done') return
    this.sendsParts = false
    this.round.abort()
  }

  /** Once, if the server has fewer bytes than were received before: what is on the disk may be of another file. */
  private beginAgainAfter(error: unknown): void {
    if (!(error instanceof RangeRefused) || this.hasBegunAgain) throw error
    this.hasBegunAgain = true
    this.round.abort()
  }

  /** Everything came: is it right? */
  private async settle(partial: PartialBlob): Promise<void> {
    const { blob } = this.file
    const hash = await partial.hash()
    if (hash === blob.hex) {
      await partial.publish()
      return this.context.place(this.file)
    }
    await this.reset(partial)
    // the damage may be older than this run, on the disk: a fresh copy tells
    if (!this.hasBegunAgain) this.hasBegunAgain = true
    else throw this.wrongBytes(hash)
  }

  private async reset(partial: PartialBlob): Promise<void> {
    this.round = new AbortController()
    this.context.meter.lose(this.numCounted)
    this.numCounted = 0
    await partial.reset()
    this.waiting = this.plan(new ByteRanges())
  }

  private wrongBytes(hash: string): NVLMError {
    const { algorithm, hex } = this.file.blob
    return new NVLMError(
      'INTEGRITY',
      `${this.context.describe(this.file)}: ${algorithm} is ${hash}, the hub lists ${hex}; twice the wrong bytes came`,
      {
        hint: 'The server or a proxy between changes files, and nothing of it was kept: try another network or endpoint.',
      },
    )
  }
}

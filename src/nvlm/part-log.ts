import type { LoggedPart, StreamPart } from './stream-parts.js'

/** One or more parts of a kind in a row: text as a range of all text, progress as the newest state. */
type Entry =
  | { readonly kind: 'text'; readonly start: number; end: number }
  | { readonly kind: 'prefill'; part: Extract<StreamPart, { type: 'prefill' }> }
  | { readonly kind: 'once'; readonly part: Exclude<StreamPart, { type: 'text' | 'prefill' }> }

/** How far a reader is: in which entry, and how much of it has been read. */
export interface PartCursor {
  /** Pass over all parts but text. */
  readonly textOnly: boolean
  entry: number
  seen: number
}

/** V8 keeps a text that was put together as a tree of 32 bytes a piece; after so many pieces it is made one again. */
const PIECES_PER_COPY = 4096

/**
 * A list of parts that grows, can be read from the start at any time, and ends.
 *
 * It takes no more memory than the text itself: pieces in a row are kept as one, so a reader that is slow or comes late
 * gets them joined, and of progress the newest only.
 */
export class PartLog {
  private readonly entries: Entry[] = []
  private waiting: (() => void)[] = []
  private isClosed = false
  private joined = ''
  private numPieces = 0

  /** All text so far. */
  get text(): string {
    return this.joined
  }

  /** Number of entries that are kept. */
  get size(): number {
    return this.entries.length
  }

  push(part: LoggedPart): void {
    const last = this.entries.at(-1)
    if (part.type === 'text') {
      const start = this.joined.length
      this.joined += part.text
      // to look at a character, V8 copies the tree into one string
      if (++this.numPieces % PIECES_PER_COPY === 0) this.joined.charCodeAt(0)
      const end = this.joined.length
      if (last?.kind === 'text') last.end = end
      else this.entries.push({ kind: 'text', start, end })
    } else if (part.type === 'prefill') {
      if (last?.kind === 'prefill') last.part = part
      else this.entries.push({ kind: 'prefill', part })
    } else this.entries.push({ kind: 'once', part })
    this.wake()
  }

  close(): void {
    this.isClosed = true
    this.wake()
  }

  /** The next part behind `cursor`, as soon as it is there; undefined at the end of the list or when `isLeft` says so. */
  async next(cursor: PartCursor, isLeft: () => boolean): Promise<StreamPart | undefined> {
    for (;;) {
      if (isLeft()) return undefined
      const part = this.take(cursor)
      if (part !== undefined || this.isClosed) return part
      await new Promise<void>(resolve => this.waiting.push(resolve))
    }
  }

  /** Let all readers look again. */
  wake(): void {
    const readers = this.waiting
    this.waiting = []
    for (const resolve of readers) resolve()
  }

  private take(cursor: PartCursor): StreamPart | undefined {
    for (; cursor.entry < this.entries.length; cursor.entry++, cursor.seen = 0) {
      const part = this.read(this.entries[cursor.entry]!, cursor)
      if (part !== undefined) return part
      // the last entry may still grow
      if (cursor.entry === this.entries.length - 1) return undefined
    }
    return undefined
  }

  /** What of an entry is new to the reader. */
  private read(entry: Entry, cursor: PartCursor): StreamPart | undefined {
    if (entry.kind === 'text') {
      const start = entry.start + cursor.seen
      if (start === entry.end) return undefined
      cursor.seen = entry.end - entry.start
      const snapshot = this.joined.slice(0, entry.end)
      return { type: 'text', text: snapshot.slice(start), snapshot }
    }
    if (cursor.textOnly) return undefined
    const seen = entry.kind === 'prefill' ? entry.part.done : 1
    if (cursor.seen === seen) return undefined
    cursor.seen = seen
    return entry.part
  }
}

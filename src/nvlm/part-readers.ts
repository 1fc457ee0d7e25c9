import type { PartLog } from './part-log.js'
import type { StreamPart } from './stream-parts.js'

/** Reads parts one by one; `return` ends the reading early. */
export interface PartIterator extends AsyncIterator<StreamPart, undefined> {
  return(): Promise<IteratorReturnResult<undefined>>
}

/** What readers need to know of the run. */
export interface PartReadersOptions {
  readonly log: PartLog
  /** Why the run failed, once it has. */
  readonly failure: () => { readonly reason: unknown } | undefined
  /** The last reader left before the end; resolves when the compute has stopped. */
  readonly onLeft: () => Promise<void>
}

/** How to read. */
export interface ReaderOptions {
  /** Pass over all parts but text. */
  readonly textOnly?: boolean | undefined
  /** Count as a reader from now on instead of from the first `next()` on. */
  readonly isReading?: boolean | undefined
}

/** The readers of one run: each gets all parts from the start, and the work stops when the last one has left. */
export class PartReaders {
  private numReaders = 0

  constructor(private readonly options: PartReadersOptions) {}

  /** Read the parts. */
  open({ textOnly = false, isReading = false }: ReaderOptions = {}): PartIterator {
    const { log, failure } = this.options
    const cursor = { textOnly, entry: 0, seen: 0 }
    const end = { value: undefined, done: true } as const
    let state: 'new' | 'reading' | 'left' = 'new'
    const enter = () => {
      if (state !== 'new') return
      state = 'reading'
      this.numReaders++
    }
    const leave = () => {
      if (state === 'reading') this.numReaders--
      state = 'left'
    }
    if (isReading) enter()
    return {
      next: async () => {
        enter()
        const part = await log.next(cursor, () => state === 'left')
        if (part !== undefined) return { value: part, done: false }
        const failed = state === 'left' ? undefined : failure()
        leave()
        if (failed) throw failed.reason
        return end
      },
      return: async () => {
        const wasReading = state === 'reading'
        leave()
        log.wake()
        if (wasReading && this.numReaders === 0) await this.options.onLeft()
        return end
      },
    }
  }

  /** Read the text. */
  openText(): AsyncIterator<string, undefined> {
    const parts = this.open({ textOnly: true })
    return {
      next: async () => {
        const { value: part } = await parts.next()
        return part?.type === 'text' ? { value: part.text, done: false } : { value: undefined, done: true }
      },
      return: () => parts.return(),
    }
  }
}

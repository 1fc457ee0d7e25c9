import { filterContext, type GenerationFilter } from './filters.js'
import { PartLog } from './part-log.js'

/** Text on its way through output filters. */
export class OutputPipe {
  /** Resolves when the last filter has ended; rejects with what a filter throws. */
  readonly done: Promise<void>
  private readonly log = new PartLog()
  private readonly unread = new Set<object>()
  private isOver = false
  private out = ''

  /**
   * @param filters - each with `output`
   * @param onText - gets what comes out
   */
  constructor(
    filters: readonly GenerationFilter[],
    modelId: string,
    private readonly signal: AbortSignal,
    private readonly onText: (text: string) => void,
  ) {
    this.done = this.pump(filters, modelId)
  }

  /** All text that came out. */
  get text(): string {
    return this.out
  }

  /** Has a filter ended before the text that it was given? */
  get wasStopped(): boolean {
    return this.unread.size > 0
  }

  push(text: string): void {
    if (text !== '') this.log.push({ type: 'text', text })
  }

  /** No more text comes. */
  close(): void {
    this.log.close()
    if (this.signal.aborted) this.isOver = true
  }

  private async pump(filters: readonly GenerationFilter[], modelId: string): Promise<void> {
    // filters begin when the run does, not inside the call that makes the pipe
    await Promise.resolve()
    let deltas: AsyncIterable<string> = { [Symbol.asyncIterator]: () => this.source() }
    for (const filter of filters) {
      this.unread.add(deltas)
      deltas = filter.output!(this.watched(deltas), filterContext(filter, modelId, this.signal))
    }
    for await (const delta of deltas) {
      if (this.isOver) return
      if (delta === '') continue
      this.out += delta
      this.onText(delta)
    }
  }

  private source(): AsyncIterator<string, undefined> {
    const cursor = { textOnly: true, entry: 0, seen: 0 }
    return {
      next: async () => {
        const part = await this.log.next(cursor, () => false)
        return part?.type === 'text' ? { value: part.text, done: false } : { value: undefined, done: true }
      },
    }
  }

  /** The same text; it counts as unread until its end was reached. */
  private async *watched(deltas: AsyncIterable<string>): AsyncGenerator<string, void, undefined> {
    yield* deltas
    this.unread.delete(deltas)
  }
}

/** A list of text pieces that grows, can be read from the start at any time, and ends. */
export class DeltaLog {
  private readonly deltas: string[] = []
  private waiting: (() => void)[] = []
  private isClosed = false
  private joined = ''

  /** All pieces so far, joined. */
  get text(): string {
    return this.joined
  }

  push(delta: string): void {
    this.deltas.push(delta)
    this.joined += delta
    this.wake()
  }

  close(): void {
    this.isClosed = true
    this.wake()
  }

  /** Piece number `index`, as soon as it is there; undefined when the list ended before it or `isLeft` says to stop waiting. */
  async at(index: number, isLeft: () => boolean): Promise<string | undefined> {
    while (index >= this.deltas.length && !this.isClosed && !isLeft()) {
      await new Promise<void>(resolve => this.waiting.push(resolve))
    }
    return isLeft() ? undefined : this.deltas[index]
  }

  /** Let all readers look again. */
  wake(): void {
    const readers = this.waiting
    this.waiting = []
    for (const resolve of readers) resolve()
  }
}

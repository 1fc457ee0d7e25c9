/** Lets tasks in, a few at a time, first come first served. */
export class RunQueue {
  private readonly waiting = new Set<() => void>()
  private idleListeners: (() => void)[] = []
  private numRunning = 0

  /** @param concurrency - most tasks at once */
  constructor(private readonly concurrency = 1) {}

  /**
   * Wait for a free place, then run this task.
   *
   * @param signal - on abort a waiting task gives up its place at once; a running one must look itself
   * @throws the signal's reason if it aborts before the task's turn
   */
  async enter<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    await this.turn(signal)
    try {
      signal.throwIfAborted()
      return await task()
    } finally {
      this.leave()
    }
  }

  /** Resolves when no task runs or waits. */
  async idle(): Promise<void> {
    if (this.numRunning === 0) return
    await new Promise<void>(resolve => this.idleListeners.push(resolve))
  }

  private async turn(signal: AbortSignal): Promise<void> {
    if (this.numRunning < this.concurrency) {
      this.numRunning++
      return
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        this.waiting.delete(onTurn)
        reject(signal.reason)
      }
      const onTurn = () => {
        signal.removeEventListener('abort', onAbort)
        resolve()
      }
      this.waiting.add(onTurn)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Hand the place to the first who waits. */
  private leave(): void {
    const [next] = this.waiting
    if (next) {
      this.waiting.delete(next)
      next()
      return
    }
    this.numRunning--
    if (this.numRunning > 0) return
    const listeners = this.idleListeners
    this.idleListeners = []
    for (const resolve of listeners) resolve()
  }
}

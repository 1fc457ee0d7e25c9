/** Lets tasks in one at a time, first come first served. */
export class RunQueue {
  private tail: Promise<void> = Promise.resolve()

  /**
   * Wait for all earlier tasks, then run this one.
   *
   * @param signal - on abort a waiting task gives up its place at once; a running one must look itself
   * @throws the signal's reason if it aborts before the task's turn
   */
  async enter<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    signal.throwIfAborted()
    const turn = this.tail
    let leave = () => {}
    this.tail = new Promise<void>(resolve => {
      leave = resolve
    })
    try {
      await orAbort(turn, signal)
      signal.throwIfAborted()
    } catch (error) {
      // those behind still wait for those in front
      void turn.then(leave)
      throw error
    }
    try {
      return await task()
    } finally {
      leave()
    }
  }

  /** Resolves when everything that is in the queue now has left it. */
  async idle(): Promise<void> {
    await this.tail
  }
}

async function orAbort(turn: Promise<void>, signal: AbortSignal): Promise<void> {
  let onAbort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    await Promise.race([turn, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

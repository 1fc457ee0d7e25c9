interface Waiter {
  readonly cost: number
  readonly start: () => void
}

/** Lets only so much work run at a time; the rest waits in order of arrival. */
export class WorkBudget {
  #free: number
  /** Of work that is done, and not reclaimed yet. */
  #spent = 0
  #isReclaiming = false
  readonly #waiters: Waiter[] = []

  /**
   * @param capacity - cost that may run at once
   * @param reclaim - makes free what finished work has left behind; called when the next has to wait for it. Without it
   * a cost is free as soon as its work is done
   */
  constructor(
    private readonly capacity: number,
    private readonly reclaim?: () => Promise<void>,
  ) {
    this.#free = capacity
  }

  /** Do `work` once its cost is free; a cost above the capacity runs alone. An abort while waiting leaves the queue. */
  async run<Result>(cost: number, work: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const leave = await this.enter(cost, signal)
    try {
      return await work()
    } finally {
      leave()
    }
  }

  /**
   * Wait until a cost is free, and take it; for work that other code ends.
   *
   * @returns gives the cost back; to be called once
   */
  async enter(cost: number, signal?: AbortSignal): Promise<() => void> {
    const taken = Math.min(cost, this.capacity)
    await this.#take(taken, signal)
    return () => {
      if (this.reclaim) this.#spent += taken
      else this.#free += taken
      this.#admit()
    }
  }

  #take(cost: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
        reject(signal?.reason)
        this.#admit()
      }
      const start = () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      const waiter: Waiter = { cost, start }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiters.push(waiter)
      this.#admit()
    })
  }

  #admit(): void {
    for (
      let next = this.#waiters[0];
      next !== undefined && next.cost <= this.#free;
      next = this.#waiters[0]
    ) {
      this.#waiters.shift()
      this.#free -= next.cost
      next.start()
    }
    if (this.#waiters.length > 0) this.#reclaimSpent()
  }

  #reclaimSpent(): void {
    if (this.#spent === 0 || this.#isReclaiming || this.reclaim === undefined) return
    const reclaimed = this.#spent
    this.#isReclaiming = true
    void this.reclaim().finally(() => {
      this.#isReclaiming = false
      this.#spent -= reclaimed
      this.#free += reclaimed
      this.#admit()
    })
  }
}

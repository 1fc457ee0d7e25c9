import { ApiError } from './api-error.js'

/** Longest wait that a refused client is told, in seconds. */
const MAX_RETRY_AFTER = 60

/** How much the newest run counts in the mean time of a run. */
const NEWEST_SHARE = 0.2

/** One request that was let in. */
export interface Ticket {
  /** Make room for more answers of the same request. @throws {ApiError} 429 */
  add(numMore: number): void
  /** One of its answers is computed from now on. */
  begin(): void
  /** It is over. A second call does nothing. */
  leave(): void
}

/** Counts what runs and waits, and refuses what is too much. The model itself decides whose turn it is. */
export class Admission {
  numWaiting = 0
  numRunning = 0
  private meanMs = 1000
  private readonly idleListeners: (() => void)[] = []
  private numTickets = 0

  /** @param maxWaiting - most answers that are asked for and not begun */
  constructor(private readonly maxWaiting: number) {}

  /** Let a request for one answer in. @throws {ApiError} 429 */
  enter(): Ticket {
    this.reserve(1)
    this.numTickets++
    const enteredAt = Date.now()
    const [own, total] = [{ waiting: 1, running: 0 }, this]
    let isOver = false
    return {
      add(numMore) {
        total.reserve(numMore)
        own.waiting += numMore
      },
      begin() {
        if (isOver || own.waiting === 0) return
        own.waiting--
        own.running++
        total.numWaiting--
        total.numRunning++
      },
      leave() {
        if (isOver) return
        isOver = true
        total.numWaiting -= own.waiting
        total.numRunning -= own.running
        if (own.running > 0) total.learn(Date.now() - enteredAt)
        total.numTickets--
        total.tellIdle()
      },
    }
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    if (this.numTickets > 0) await new Promise<void>(resolve => this.idleListeners.push(resolve))
  }

  private reserve(num: number): void {
    if (this.numWaiting + num > this.maxWaiting) {
      throw new ApiError(429, 'Too many requests are waiting; try again later.', {
        type: 'rate_limit_error',
        code: 'queue_full',
        headers: { 'retry-after': String(this.retryAfter()) },
      })
    }
    this.numWaiting += num
  }

  /** Seconds until the half of what waits has had its turn. */
  private retryAfter(): number {
    const seconds = (this.meanMs * this.numWaiting) / Math.max(1, this.numRunning) / 2 / 1000
    return Math.min(MAX_RETRY_AFTER, Math.max(1, Math.ceil(seconds)))
  }

  private learn(ms: number): void {
    this.meanMs += NEWEST_SHARE * (ms - this.meanMs)
  }

  private tellIdle(): void {
    if (this.numTickets > 0) return
    for (const resolve of this.idleListeners.splice(0)) resolve()
  }
}

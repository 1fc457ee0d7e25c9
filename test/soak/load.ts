import { setTimeout as pause } from 'node:timers/promises'
import { type Ask, badAsks, goodAsks, longAsk } from './asks.js'
import { type Outcome, send } from './client.js'
import type { Faults } from './faults.js'

/** Requests at once that are more than may wait. */
const BURST = 48

/** Clients that ask without pause, and judge what they are answered. */
export class Load {
  readonly counts = new Map<string, number>()
  readonly wrong: string[] = []
  /** All requests, those that were refused at the door too. */
  numRequests = 0
  /** Requests that the engine worked at. */
  numServed = 0
  private readonly expected = new Map<Ask, Outcome>()
  private numBursts = 0
  private startedAt = 0

  /** @param faults - explain requests that failed at certain times */
  constructor(
    private readonly url: string,
    private readonly durationMs: number,
    private readonly faults: Faults,
  ) {}

  get isOver(): boolean {
    return this.passedMs >= this.durationMs
  }

  get passedMs(): number {
    return performance.now() - this.startedAt
  }

  /** Ask everything once, alone: these are the right answers. Time runs from then on. */
  async learn(): Promise<void> {
    for (const ask of goodAsks) {
      const outcome = await send(this.url, ask)
      if (outcome.status !== 200 || outcome.code) throw new Error(`${ask.name}: ${JSON.stringify(outcome)}`)
      this.expected.set(ask, outcome)
    }
    this.startedAt = performance.now()
  }

  async client(index: number): Promise<void> {
    for (let turn = index; !this.isOver; turn++) {
      if (turn % 11 === 5) await this.walkAway(turn)
      else if (turn % 7 === 3) await this.ask(badAsks[Math.floor(turn / 7) % badAsks.length]!)
      else await this.ask(goodAsks[turn % goodAsks.length]!)
    }
  }

  /** More at once than may wait: some are refused, all others are answered. */
  async bursts(): Promise<void> {
    while (!this.isOver) {
      await pause(Math.min(20_000, this.durationMs / 4))
      this.numBursts++
      await Promise.all(Array.from({ length: BURST }, () => this.ask(goodAsks[3]!)))
      this.numBursts++
    }
  }

  count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
  }

  private async ask(ask: Ask): Promise<void> {
    const startedAt = performance.now()
    const { numBursts } = this
    this.numRequests++
    try {
      const outcome = await send(this.url, ask)
      // even: no burst; the same as before: none came meanwhile
      const isBurst = numBursts % 2 === 1 || this.numBursts !== numBursts
      if (isBurst && isRefused(outcome)) this.count('refused: queue full')
      else this.judge(ask, outcome, startedAt)
    } catch (error) {
      this.wrong.push(`${ask.name}: the connection broke: ${String(error)}`)
    }
  }

  private judge(ask: Ask, outcome: Outcome, startedAt: number): void {
    const { status, code, text } = outcome
    if (status === 200) this.numServed++
    if (this.faults.explain(startedAt) && code === 'engine_failed' && (status === 503 || status === 200)) {
      this.count('failed: engine killed')
      return
    }
    const expected = this.expected.get(ask)
    const isRight = expected
      ? status === 200 && code === undefined && text === expected.text
      : status === ask.status && code === ask.code
    this.count(isRight ? `right: ${ask.name}` : `WRONG: ${ask.name}`)
    if (!isRight) this.wrong.push(`${ask.name}: ${status} ${code} ${text.slice(0, 300)}`)
  }

  /** Leave in the middle of an answer. */
  private async walkAway(turn: number): Promise<void> {
    this.numRequests++
    const leaving = AbortSignal.timeout(20 + ((turn * 37) % 300))
    await send(this.url, longAsk, leaving).catch(() => {})
    this.numServed++
    this.count('client left')
  }
}

/** Refused as it should be: with a time to come again. */
function isRefused({ status, code, retryAfter }: Outcome): boolean {
  return status === 429 && code === 'queue_full' && retryAfter >= 1
}

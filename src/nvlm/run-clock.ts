import type { Timings } from './engine-client.js'

/** The parts of a run that are timed one after the other. */
type TimedStage = 'queue' | 'preprocess' | 'vision' | 'prefill' | 'decode'

/** Milliseconds since the epoch with fractions, comparable between threads. */
export function epochNow(): number {
  return performance.timeOrigin + performance.now()
}

/** Splits the time of one run among its stages. The queue runs from the start. */
export class RunClock {
  private readonly spent: Record<TimedStage, number> = {
    queue: 0,
    preprocess: 0,
    vision: 0,
    prefill: 0,
    decode: 0,
  }
  private stage: TimedStage | undefined = 'queue'
  private since: number
  private firstTokenAt: number | undefined

  /** @param submittedAt - see `epochNow` */
  constructor(private readonly submittedAt: number) {
    this.since = submittedAt
  }

  /** Leave the stage so far and begin another, none at the end. `decode` begins with the first token. */
  enter(stage: TimedStage | undefined): void {
    const now = epochNow()
    if (this.stage !== undefined) this.spent[this.stage] += Math.max(0, now - this.since)
    if (stage === 'decode') this.firstTokenAt ??= now
    this.stage = stage
    this.since = now
  }

  timings(numTokens: number): Timings {
    const { queue, preprocess, vision, prefill, decode } = this.spent
    const firstTokenAt = this.firstTokenAt
    return {
      queueMs: queue,
      preprocessMs: preprocess,
      visionMs: vision,
      prefillMs: prefill,
      timeToFirstTokenMs: firstTokenAt === undefined ? 0 : Math.max(0, firstTokenAt - this.submittedAt),
      decodeMs: decode,
      tokensPerSecond: numTokens > 1 && decode > 0 ? ((numTokens - 1) * 1000) / decode : 0,
    }
  }
}

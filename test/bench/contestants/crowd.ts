/** Requests that several clients send at once. */
export interface CrowdTask {
  readonly numClients: number
  /** Words of each client's prompt; a token each. */
  readonly promptWords: number
  readonly answerTokens: number
}

/** What a library did with them. */
export interface CrowdOutcome {
  /** From the first request to the last token. */
  readonly ms: number
  /** Tokens of all answers. */
  readonly numTokens: number
  /** Longest time between two tokens of the client that came first. */
  readonly longestGapMs: number
}

/** A library that serves several clients. */
export interface Crowd {
  load(): Promise<void>
  serve(task: CrowdTask): Promise<CrowdOutcome>
}

/** How a crowd is served: nvlm-ts with shared runs, in line, and llama.cpp's sequences of one context. */
export type CrowdName = 'nvlm-ts' | 'nvlm-ts, in line' | 'node-llama-cpp'

/** Most clients at once. */
export const MAX_CLIENTS = 8

/** Measures one round: each client ticks at each of its tokens. */
export class CrowdClock {
  private readonly started = performance.now()
  private numTokens = 0
  private last: number | undefined
  private longestGapMs = 0

  tick(client: number): void {
    this.numTokens++
    if (client !== 0) return
    const now = performance.now()
    if (this.last !== undefined) this.longestGapMs = Math.max(this.longestGapMs, now - this.last)
    this.last = now
  }

  outcome(): CrowdOutcome {
    const { numTokens, longestGapMs } = this
    return { ms: performance.now() - this.started, numTokens, longestGapMs }
  }
}

import type { DecoderRuns, Piece, PieceOutcome } from './decoder-runs.js'
import type { KvCache } from './kv-cache.js'

/** Tokens of a prompt that one run takes: more cost memory for the scores, fewer read the weights more often. */
const CHUNK_LENGTH = 256

/** The same while other sequences take part, which wait for the run as long as it takes. */
const SHARED_CHUNK_LENGTH = 64

/** Turns of the event loop that a run waits for sequences that took part in the last one. */
const PATIENCE = 4

interface Waiting {
  readonly piece: Piece
  resolve(logits: Float32Array): void
  reject(error: unknown): void
}

/**
 * Gathers the pieces that sequences ask for at about the same time, and runs them together.
 *
 * A sequence that was in the last run and goes on is waited for, for a few turns of the event loop in which nothing is
 * computed; one that just came is in the next run. So sequences stay in step, and nobody who left holds up the others.
 */
export class SharedRuns {
  private waiting: Waiting[] = []
  /** Sequences of the last run. */
  private last: ReadonlySet<KvCache> = new Set()
  /** Pieces that are being prepared. */
  private numComing = 0
  private isRunning = false

  /** @param nextTurn - resolves after the event loop went round once */
  constructor(
    readonly runs: DecoderRuns,
    private readonly nextTurn: () => Promise<void>,
  ) {}

  /** How many tokens of a prompt a sequence should ask for at once. */
  chunkLength(cache: KvCache): number {
    const isOther = (one: KvCache) => one !== cache
    const isShared = [...this.last].some(isOther) || this.waiting.some(({ piece }) => isOther(piece.cache))
    return isShared ? SHARED_CHUNK_LENGTH : CHUNK_LENGTH
  }

  /** Do what a piece needs before it can be asked for; runs that could take it along wait for it. */
  async prepare<T>(work: () => Promise<T>): Promise<T> {
    this.numComing++
    try {
      return await work()
    } finally {
      this.numComing--
    }
  }

  /**
   * Compute the tokens of a piece and append them to its sequence.
   *
   * @returns float32 [numRows, vocabSize]
   * @throws {NVLMError} NUMERIC if the logits are not finite, BACKEND_FAILED; nothing is appended then
   */
  async run(piece: Piece): Promise<Float32Array> {
    if (this.runs.numSlots === 1) return logitsOf((await this.runs.run([piece]))[0]!)
    return new Promise((resolve, reject) => {
      this.waiting.push({ piece, resolve, reject })
      if (!this.isRunning) void this.runAll()
    })
  }

  private async runAll(): Promise<void> {
    this.isRunning = true
    while (this.waiting.length > 0) {
      await this.others()
      const taken = this.waiting.slice(0, this.runs.numSlots)
      this.waiting = this.waiting.slice(taken.length)
      this.last = new Set(taken.map(({ piece }) => piece.cache))
      await this.runTogether(taken)
    }
    this.isRunning = false
  }

  /** Wait until all are there who can be expected. */
  private async others(): Promise<void> {
    for (let turn = 0; this.waiting.length < this.runs.numSlots; turn++) {
      const caches = new Set(this.waiting.map(({ piece }) => piece.cache))
      const isMissing = [...this.last].some(cache => !caches.has(cache))
      if (this.numComing === 0 && (!isMissing || turn >= PATIENCE)) return
      await this.nextTurn()
    }
  }

  private async runTogether(taken: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await this.runs.run(taken.map(({ piece }) => piece))
      for (const [index, outcome] of outcomes.entries()) settle(taken[index]!, outcome)
    } catch (error) {
      const [only, ...others] = taken
      if (others.length === 0) return only?.reject(error)
      // whose fault it was shows when each runs alone; the others lose nothing but time
      for (const one of taken) await this.runTogether([one])
    }
  }
}

function settle({ resolve, reject }: Waiting, outcome: PieceOutcome): void {
  if ('error' in outcome) reject(outcome.error)
  else resolve(outcome.logits)
}

function logitsOf(outcome: PieceOutcome): Float32Array {
  if ('error' in outcome) throw outcome.error
  return outcome.logits
}

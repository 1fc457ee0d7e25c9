import type { DecoderState } from '../decoder/decoder-state.js'
import type { EngineStages } from './engine-stages.js'

/**
 * What a place of a sequence holds: a token id, or the key of the picture whose embedding lies there.
 *
 * Equal keys up to a place mean equal inputs up to it: a picture's key stands once for each of its embeddings.
 */
export type PlaceKey = number | string

interface Sequence {
  readonly state: DecoderState
  readonly keys: readonly PlaceKey[]
}

/**
 * Sequences of finished runs, so that a prompt that begins like one of them is read from where they part.
 *
 * The last one is always kept, earlier ones as long as all fit into the budget. Since every run holds one sequence
 * anyway, memory is at most the budget, or the largest sequence, and those that run.
 */
export class PrefixCache {
  /** Least recently used first. */
  private idle: Sequence[] = []

  /** @param maxBytes - 0 keeps nothing, not even the last one */
  constructor(
    private readonly decoder: EngineStages['decoder'],
    private readonly contextLength: number,
    private readonly maxBytes: number,
  ) {}

  /**
   * A state that holds the longest known beginning of a prompt, at least one place short of all: the last one must be
   * run for its logits. The caller owns it, and gives it back with `put` or disposes it.
   */
  async take(keys: readonly PlaceKey[]): Promise<DecoderState> {
    let best: Sequence | undefined
    let bestLength = 0
    for (const sequence of this.idle) {
      const length = Math.min(commonLength(sequence.keys, keys), keys.length - 1)
      if (length < bestLength || length === 0) continue
      best = sequence
      bestLength = length
    }
    if (best === undefined) {
      this.shrink(0)
      return this.decoder.open({ contextLength: this.contextLength })
    }
    this.idle = this.idle.filter(sequence => sequence !== best)
    // most of it would be lost to whoever goes on with it: copying costs far less than reading it again
    if (bestLength * 2 < best.keys.length) {
      const fork = best.state.fork(bestLength)
      this.idle.push(best)
      this.shrink(0)
      return fork
    }
    best.state.truncate(bestLength)
    return best.state
  }

  /** Keep a state for later. @param keys - what its places hold; more than it has are left off */
  put(state: DecoderState, keys: readonly PlaceKey[]): void {
    if (this.maxBytes === 0 || state.length === 0) {
      state.dispose()
      return
    }
    this.idle.push({ state, keys: keys.slice(0, state.length) })
    this.shrink(1)
  }

  dispose(): void {
    for (const { state } of this.idle) state.dispose()
    this.idle = []
  }

  /** Let go of the least recently used until all fit, but for the last `numKept`. */
  private shrink(numKept: number): void {
    let total = this.idle.reduce((sum, { state }) => sum + state.byteLength, 0)
    while (total > this.maxBytes && this.idle.length > numKept) {
      const { state } = this.idle.shift()!
      total -= state.byteLength
      state.dispose()
    }
  }
}

function commonLength(a: readonly PlaceKey[], b: readonly PlaceKey[]): number {
  const end = Math.min(a.length, b.length)
  let length = 0
  while (length < end && a[length] === b[length]) length++
  return length
}

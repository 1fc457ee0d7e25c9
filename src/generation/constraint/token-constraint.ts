import { NVLMError } from '../../core/errors.js'
import type { GrammarStates } from './grammar-states.js'
import { FIRST_STATE } from './grammar-states.js'
import { DEAD } from './terminal.js'
import { addToken, applyMask, type TokenMask } from './token-mask.js'
import type { TokenMasks } from './token-masks.js'

/** Says which tokens may come next. */
export interface TokenConstraint {
  /** May the answer end here? */
  readonly isComplete: boolean
  /**
   * Rule out in place (-Infinity) every token that can't come next; stop tokens are left only where the answer may end.
   *
   * @param logits - float32 [vocabSize]
   */
  mask(logits: Float32Array): void
  /** Take the token that was chosen. */
  accept(id: number): void
}

/** What a constraint needs of the tokenizer. */
export interface ConstraintTokens {
  /** Bytes of a token; undefined for one that stands for no text. */
  tokenBytes(id: number): Uint8Array | undefined
  readonly stopTokenIds: readonly number[]
}

/** Masks of states that are kept. */
const MAX_MASKS = 256

/** Holds an answer to a grammar. */
export class GrammarConstraint implements TokenConstraint {
  private state = FIRST_STATE
  private hasStopped = false

  constructor(
    private readonly states: GrammarStates,
    private readonly masks: StateMasks,
    private readonly tokens: ConstraintTokens,
  ) {}

  get isComplete(): boolean {
    return this.states.state(this.state).isAccepting
  }

  mask(logits: Float32Array): void {
    applyMask(logits, this.masks.of(this.state))
  }

  accept(id: number): void {
    if (this.tokens.stopTokenIds.includes(id) && this.isComplete) {
      this.hasStopped = true
      return
    }
    const bytes = this.tokens.tokenBytes(id)
    const next = this.hasStopped || !bytes ? DEAD : this.states.run(this.state, bytes)
    if (next === DEAD) throw new NVLMError('NUMERIC', `token ${id} breaks the grammar of the answer`)
    this.state = next
  }
}

/** The masks of a grammar's states, kept from step to step and from run to run. */
export class StateMasks {
  private readonly known = new Map<number, TokenMask>()

  constructor(
    private readonly states: GrammarStates,
    private readonly masks: TokenMasks,
    private readonly stopTokenIds: readonly number[],
  ) {}

  of(state: number): TokenMask {
    const known = this.known.get(state)
    if (known) return known
    const mask = this.masks.allowed(this.states, state)
    if (this.states.state(state).isAccepting) for (const id of this.stopTokenIds) addToken(mask, id)
    if (this.known.size >= MAX_MASKS) this.known.delete(this.known.keys().next().value!)
    this.known.set(state, mask)
    return mask
  }
}

import { NVLMError } from '../core/errors.js'
import { type AnswerFormat, formatGrammar } from '../generation/answer-format.js'
import { GrammarStates } from '../generation/constraint/grammar-states.js'
import {
  GrammarConstraint,
  StateMasks,
  type TokenConstraint,
} from '../generation/constraint/token-constraint.js'
import { TokenMasks } from '../generation/constraint/token-masks.js'
import { buildTokenTrie } from '../generation/constraint/token-trie.js'
import type { EngineStages } from './engine-stages.js'

/** Compiled formats that are kept, and states of one of them before it is made anew. */
const MAX_FORMATS = 16
const MAX_STATES = 50_000

interface Compiled {
  readonly states: GrammarStates
  readonly masks: StateMasks
}

/** Makes the constraints of one model's runs. What formats have in common is worked out once. */
export class Constraints {
  private readonly compiled = new Map<string, Compiled>()
  private masks: Promise<TokenMasks> | undefined

  /** @param nextTurn - see `EngineOptions` */
  constructor(
    private readonly tokenizer: EngineStages['tokenizer'],
    private readonly nextTurn: () => Promise<void>,
  ) {}

  /**
   * A new constraint, at its beginning.
   *
   * The first one of a model lays out the vocabulary, 0.4 s for 150,000 tokens, in turns of some milliseconds.
   *
   * @throws {NVLMError} SCHEMA_UNSUPPORTED, INVALID_OPTION
   */
  async open(format: AnswerFormat): Promise<TokenConstraint> {
    const key = JSON.stringify(format)
    const known = this.compiled.get(key)
    const { states, masks } = known && known.states.size < MAX_STATES ? known : await this.compile(format)
    this.compiled.delete(key)
    if (this.compiled.size >= MAX_FORMATS) this.compiled.delete(this.compiled.keys().next().value!)
    this.compiled.set(key, { states, masks })
    const { stopTokenIds } = this.tokenizer
    return new GrammarConstraint(states, masks, { stopTokenIds, tokenBytes: id => this.bytesOf(id) })
  }

  private async compile(format: AnswerFormat): Promise<Compiled> {
    const states = new GrammarStates(formatGrammar(format))
    if (!states.isPossible) throw new NVLMError('INVALID_OPTION', `no text fits the ${format.type}`)
    this.masks ??= this.layOutVocabulary()
    return { states, masks: new StateMasks(states, await this.masks, this.tokenizer.stopTokenIds) }
  }

  private async layOutVocabulary(): Promise<TokenMasks> {
    const { vocabSize } = this.tokenizer
    return new TokenMasks(await buildTokenTrie(vocabSize, id => this.bytesOf(id), this.nextTurn))
  }

  /** Control tokens stand for no text. */
  private bytesOf(id: number): Uint8Array | undefined {
    return this.specialIds.has(id) ? undefined : this.tokenizer.tokenBytes(id)
  }

  private get specialIds(): ReadonlySet<number> {
    this.special ??= new Set([
      ...this.tokenizer.stopTokenIds,
      ...this.tokenizer.addedTokens.filter(({ isSpecial }) => isSpecial).map(({ id }) => id),
    ])
    return this.special
  }

  private special: ReadonlySet<number> | undefined
}

import type { FloatTensor } from '../core/tensor.js'
import type { DecoderState } from '../decoder/decoder-state.js'
import { DraftBudget } from './draft-budget.js'
import type { DraftSource } from './prompt-lookup.js'
import type { TokenSteps } from './token-loop.js'

/** How far guessing goes. */
export interface DraftOptions {
  readonly source: DraftSource
  /** Most tokens guessed at once. */
  readonly maxDraftTokens: number
  /** The sequence will not grow beyond this length. */
  readonly maxLength: number
  /** A draft ends before one of these: tokens after which nothing comes, or that can't be fed by their id. */
  readonly barredIds: ReadonlySet<number>
}

/** How guessing went. */
export interface DraftCounts {
  /** Tokens that were guessed. */
  readonly draftTokens: number
  /** Those of them that were right. */
  readonly acceptedDraftTokens: number
}

/**
 * Steps of a sequence that computes guessed tokens along with the next one: a run of several tokens costs little more
 * than a run of one, since both read all weights once.
 *
 * Each step gives the logits after exactly the tokens stepped through, as the plain state does; a guess only decides
 * whether they are there already. Whoever chooses tokens can't tell the difference but by rounding: a run of several
 * tokens adds up in another order than a run of one.
 */
export class DraftedSteps implements TokenSteps {
  private numDrafted = 0
  private numRight = 0
  private readonly ids: number[]
  private readonly budget: DraftBudget
  private draft: readonly number[] = []
  private numAccepted = 0
  /** float32 [1 + draft.length, vocabSize]: after the token before the draft, and after each of it. */
  private rows: FloatTensor = { data: new Float32Array(0), dims: [0, 0] }
  private numSteps = 0
  private readonly firstLength: number

  /**
   * @param state - holds the prompt; not to be used by others until `settle`
   * @param promptIds - what the source may look at before the first step
   */
  constructor(
    private readonly state: DecoderState,
    promptIds: readonly number[],
    private readonly options: DraftOptions,
  ) {
    this.ids = [...promptIds]
    this.firstLength = state.length
    this.budget = new DraftBudget(options.maxDraftTokens)
  }

  get length(): number {
    return this.firstLength + this.numSteps
  }

  get counts(): DraftCounts {
    return { draftTokens: this.numDrafted, acceptedDraftTokens: this.numRight }
  }

  get contextLength(): number {
    return this.state.contextLength
  }

  async step(tokenId: number): Promise<FloatTensor> {
    this.ids.push(tokenId)
    if (this.draft[this.numAccepted] === tokenId) {
      this.numAccepted++
      this.numRight++
    } else {
      this.settle()
      await this.run(tokenId)
    }
    this.numSteps++
    return this.row(this.numAccepted)
  }

  /** Take back what was computed ahead: the state then holds what was stepped through, as a plain one would. */
  settle(): void {
    if (this.draft.length > 0) this.budget.onDraft(this.numAccepted, this.draft.length - this.numAccepted)
    this.draft = []
    this.numAccepted = 0
    if (this.state.length > this.length) this.state.truncate(this.length)
  }

  private async run(tokenId: number): Promise<void> {
    this.budget.onToken()
    // a run of several tokens takes them by id, and so no barred one
    const draft = this.options.barredIds.has(tokenId) ? [] : this.guess()
    if (draft.length === 0) {
      this.rows = await this.state.step(tokenId)
      return
    }
    this.rows = await this.state.prefill({ inputIds: [tokenId, ...draft] }, { allPositions: true })
    this.draft = draft
    this.numDrafted += draft.length
  }

  private guess(): readonly number[] {
    const { source, maxLength, barredIds } = this.options
    const maxTokens = Math.min(this.budget.draftTokens, maxLength - this.length - 1)
    if (maxTokens < 1) return []
    const draft = source.draft(this.ids, maxTokens).slice(0, maxTokens)
    const end = draft.findIndex(id => barredIds.has(id))
    return end === -1 ? draft : draft.slice(0, end)
  }

  private row(index: number): FloatTensor {
    const { data, dims } = this.rows
    const vocabSize = dims.at(-1)!
    return { data: data.subarray(index * vocabSize, (index + 1) * vocabSize), dims: [1, vocabSize] }
  }
}

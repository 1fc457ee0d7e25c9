/** Guesses how a sequence of tokens goes on. */
export interface DraftSource {
  /**
   * Tokens that may come after `ids`; often none.
   *
   * @param ids - prompt and answer so far
   * @param maxTokens - most tokens to give, 1 or more
   */
  draft(ids: readonly number[], maxTokens: number): readonly number[]
}

/** How prompt lookup guesses. */
export interface PromptLookupOptions {
  /** Most tokens guessed at once; fewer while guesses turn out wrong. Default 16. */
  readonly maxDraftTokens?: number | undefined
  /** Fewest last tokens that must have come before in the same order. Default 2. */
  readonly minNgram?: number | undefined
  /** Of several places the one where the most last tokens agree counts, looking at no more than this. Default 4. */
  readonly maxNgram?: number | undefined
}

const DEFAULTS = { maxDraftTokens: 16, minNgram: 2, maxNgram: 4 } as const

/**
 * Guesses that what followed the last tokens when they came before follows again: in the prompt (documents, earlier
 * turns) or in the answer itself (tables, code).
 *
 * @see apoorvumang/prompt-lookup-decoding
 */
export class PromptLookup implements DraftSource {
  /** As in the options. */
  readonly maxDraftTokens: number
  private readonly minNgram: number
  private readonly maxNgram: number

  constructor(options: PromptLookupOptions = {}) {
    const { minNgram, maxNgram } = options
    // a limit given alone moves the other one along
    this.minNgram = minNgram ?? Math.min(DEFAULTS.minNgram, maxNgram ?? DEFAULTS.minNgram)
    this.maxNgram = maxNgram ?? Math.max(DEFAULTS.maxNgram, this.minNgram)
    this.maxDraftTokens = options.maxDraftTokens ?? DEFAULTS.maxDraftTokens
  }

  draft(ids: readonly number[], maxTokens: number): readonly number[] {
    const start = this.continuation(ids)
    if (start === undefined) return []
    // a place so near the end that its continuation runs into it: what repeats there goes on repeating
    const period = ids.length - start
    return Array.from({ length: maxTokens }, (_, i) => ids[start + (i % period)]!)
  }

  /** Place behind the earlier occurrence of the last tokens: the longest one, of equally long ones the last. */
  private continuation(ids: readonly number[]): number | undefined {
    let best: number | undefined
    let bestLength = this.minNgram - 1
    for (let end = ids.length - 1; end >= this.minNgram && bestLength < this.maxNgram; end--) {
      const length = this.agreement(ids, end)
      if (length <= bestLength) continue
      best = end
      bestLength = length
    }
    return best
  }

  /** How many tokens before `end` are the last ones of all, up to `maxNgram`. */
  private agreement(ids: readonly number[], end: number): number {
    let length = 0
    const limit = Math.min(this.maxNgram, end)
    while (length < limit && ids[end - 1 - length] === ids[ids.length - 1 - length]) length++
    return length
  }
}

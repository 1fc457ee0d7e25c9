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
 * turns) or in the answer itself (tables, code). Where only the last token is new, it is taken to stand for another.
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
    const start = this.continuation(ids) ?? this.behindReplaced(ids)
    if (start === undefined) return []
    // a place so near the end that its continuation runs into it: what repeats there goes on repeating
    const period = ids.length - start
    return Array.from({ length: maxTokens }, (_, i) => ids[start + (i % period)]!)
  }

  /**
   * Where the last token is one that stands in place of another: the place behind that other one, if the tokens before both
   * agree. One more of them than `minNgram` must. A corrected or translated word so doesn't end the copying.
   */
  private behindReplaced(ids: readonly number[]): number | undefined {
    const before = this.continuation(ids, ids.length - 1, this.minNgram + 1)
    return before === undefined || before + 1 >= ids.length ? undefined : before + 1
  }

  /** Place behind the earlier occurrence of the last of the first `length` tokens: the longest one, of equally long ones the last. */
  private continuation(
    ids: readonly number[],
    length = ids.length,
    minNgram = this.minNgram,
  ): number | undefined {
    let best: number | undefined
    const limit = Math.max(minNgram, this.maxNgram)
    let bestLength = minNgram - 1
    for (let end = length - 1; end >= minNgram && bestLength < limit; end--) {
      const agreement = this.agreement(ids, length, end, limit)
      if (agreement <= bestLength) continue
      best = end
      bestLength = agreement
    }
    return best
  }

  /** How many tokens before `end` are the last ones of the first `length`, up to `most`. */
  private agreement(ids: readonly number[], length: number, end: number, most: number): number {
    let agreement = 0
    const limit = Math.min(most, end)
    while (agreement < limit && ids[end - 1 - agreement] === ids[length - 1 - agreement]) agreement++
    return agreement
  }
}

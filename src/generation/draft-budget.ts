/** Wrong guesses that each token of an answer allows, whatever else happens. */
const CREDIT_PER_TOKEN = 0.05

/** Guesses before anything is known. */
const FIRST_CREDIT = 4

/**
 * Decides how long a draft may be, from how the drafts before it fared. It looks at no clock, so that a run repeated is
 * computed in the same way.
 *
 * A right guess earns the right to one more wrong guess, a wrong one uses it up. So drafts grow while they are right, and
 * over n tokens at most `FIRST_CREDIT + CREDIT_PER_TOKEN * n` guesses are wrong beyond those that right ones paid for.
 */
export class DraftBudget {
  private credit: number

  constructor(private readonly maxDraftTokens: number) {
    this.credit = Math.min(FIRST_CREDIT, maxDraftTokens)
  }

  /** Most tokens to guess now; 0: none. */
  get draftTokens(): number {
    return Math.floor(this.credit)
  }

  /** A token was computed without a guess. */
  onToken(): void {
    this.change(CREDIT_PER_TOKEN)
  }

  /** A draft has been compared with the answer. */
  onDraft(numAccepted: number, numRejected: number): void {
    this.change(numAccepted - numRejected)
  }

  private change(amount: number): void {
    this.credit = Math.min(this.maxDraftTokens, Math.max(0, this.credit + amount))
  }
}

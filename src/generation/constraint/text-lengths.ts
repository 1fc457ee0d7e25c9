import type { TextAutomaton } from './text-automaton.js'
import type { UnlimitedText } from './unlimited-text.js'

/** How long a text may be, in code points. */
export interface LengthLimits {
  readonly minLength?: number | undefined
  readonly maxLength?: number | undefined
}

/** Which lengths of a text an automaton can still reach, and how far a count has to go. */
export class TextLengths {
  /** Row k: from which states a text of exactly k characters is accepted; rows are made as they are needed. */
  private readonly exact: Uint8Array[]
  /** Counts from here on make no difference. */
  private readonly lastCount: number

  private readonly min: number
  private readonly max: number | undefined

  /** @param text - of the automaton */
  constructor(
    private readonly automaton: TextAutomaton,
    { minLength = 0, maxLength }: LengthLimits,
    private readonly text: UnlimitedText,
  ) {
    this.min = minLength
    this.max = maxLength
    this.exact = [automaton.accepting]
    this.lastCount = maxLength === undefined ? minLength : maxLength + 1
  }

  /** The count after one more character. */
  next(count: number): number {
    return Math.min(count + 1, this.lastCount)
  }

  /** Is the text long enough to end, and not too long? */
  isEnough(count: number): boolean {
    return count >= this.min && (this.max === undefined || count <= this.max)
  }

  /** How many more characters it must and may have. */
  left(count: number): { readonly min: number; readonly max: number } {
    return { min: Math.max(0, this.min - count), max: (this.max ?? Infinity) - count }
  }

  /** Is there a text of allowed length that is accepted from `state` on? */
  canFinish(state: number, count: number): boolean {
    const { min, max } = this.left(count)
    if (max < 0) return false
    if (min === 0) return this.text.leastBehind(state) <= max
    // the shortest of the texts that are long enough repeats no state behind its first `min` characters
    const last = Math.min(max, min + this.automaton.numStates)
    for (let length = min; length <= last; length++) if (this.row(length)[state] === 1) return true
    return false
  }

  private row(length: number): Uint8Array {
    const { numStates } = this.automaton
    while (this.exact.length <= length) {
      const before = this.exact.at(-1)!
      const row = new Uint8Array(numStates)
      for (let state = 0; state < numStates; state++) {
        const leadsOn = (classes: number): boolean => {
          const next = this.text.nextPlace(state, classes)
          return next >= 0 && before[next] === 1
        }
        if (this.text.characters.all.some(leadsOn)) row[state] = 1
      }
      this.exact.push(row)
    }
    return this.exact[length]!
  }
}

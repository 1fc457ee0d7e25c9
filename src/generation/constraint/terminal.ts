/** No way on. */
export const DEAD = -1

/**
 * A piece of a grammar without structure inside, such as a string or a number: a deterministic automaton over bytes.
 *
 * Its states are numbers from 0, made as they are met. From every state that a step gives, some bytes lead to
 * acceptance.
 */
export interface Terminal {
  /** State before the first byte, `DEAD` if it accepts nothing. */
  readonly start: number
  /** State after one more byte, or `DEAD`. */
  step(state: number, byte: number): number
  /** May it end here? */
  isAccepting(state: number): boolean
  /** Are there bytes that it takes in this state? */
  canContinue(state: number): boolean
  /** Of a state between two characters of a text: its place there. `TokenMasks` has a fast way for these. */
  textPlace?(state: number): TextPlace | undefined
}

/** A place between two characters of a text. */
export interface TextPlace {
  readonly text: TextSteps
  readonly place: number
  /** How many more characters there must and may be; beside that, it is like `place` of `text`. */
  readonly min: number
  readonly max: number
}

/** A text character by character, whatever the bytes of a character are. */
export interface TextSteps {
  readonly spelling: 'json' | 'plain'
  /** Of every character: see `CharacterSteps`. Do not change it. */
  classesOf(codePoints: readonly number[]): Int32Array
  /** Place behind a character, given as in `classesOf`; `DEAD` if it can't stand here. */
  nextPlace(place: number, classes: number): number
  /** May the text end here? */
  canEnd(place: number): boolean
  /** The least number of characters from here to the end. */
  leastBehind(place: number): number
  /** The same behind a character that begins like this, a `Partial`; -1 if it can't stand here. */
  leastBehindPartial(place: number, partial: number): number
}

/** Walks bytes through a terminal. */
export function runTerminal(terminal: Terminal, state: number, bytes: Uint8Array): number {
  let current = state
  for (const byte of bytes) {
    if (current === DEAD) return DEAD
    current = terminal.step(current, byte)
  }
  return current
}

const UNKNOWN = -2

/** Rows of next states by byte, filled as they are asked for. */
export class StepTable {
  private readonly rows: Int32Array[] = []

  /** @param compute - the next state, or `DEAD` */
  constructor(private readonly compute: (state: number, byte: number) => number) {}

  step(state: number, byte: number): number {
    let row = this.rows[state]
    if (row === undefined) {
      row = new Int32Array(256).fill(UNKNOWN)
      this.rows[state] = row
    }
    const known = row[byte]!
    if (known !== UNKNOWN) return known
    const next = this.compute(state, byte)
    row[byte] = next
    return next
  }
}

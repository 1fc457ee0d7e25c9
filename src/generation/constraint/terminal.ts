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
  /**
   * Of a state inside of a text that may be anything: how many more characters it must and may take; undefined for
   * all other states. `TokenMasks` has a fast way for these.
   */
  freeText?(state: number): FreeText | undefined
}

/** What is left of a text whose characters are free. */
export interface FreeText {
  readonly min: number
  readonly max: number
  /** Are characters above U+FFFF counted as two? */
  readonly countsUnits: boolean
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

import { type CharacterSteps, createCharacterSteps } from './character-steps.js'
import { DEAD, type FreeText, type Terminal } from './terminal.js'
import { ANY_TEXT, START_STATE, type TextAutomaton } from './text-automaton.js'
import { CHARACTER_BYTES, type CharacterBytes, MAX_PARTIALS, NO_CHARACTER, WHOLE } from './text-bytes.js'
import { TextLengths } from './text-lengths.js'

/** Which texts are allowed, and how they are written. */
export interface TextTerminalOptions {
  readonly automaton?: TextAutomaton | undefined
  readonly minLength?: number | undefined
  readonly maxLength?: number | undefined
  /** `json`: between quotes and escaped as `JSON.stringify` does; `plain`: as it is. */
  readonly spelling: 'json' | 'plain'
  /** Count and match UTF-16 units as JavaScript does, instead of code points as JSON Schema does. */
  readonly countsUnits?: boolean | undefined
}

const QUOTE = 0x22
/** Before the opening quote, and behind the closing one. */
const BEFORE = 0
const AFTER = 1
const NUM_OUTSIDE = 2
const UNKNOWN = -2

/**
 * A text in UTF-8, spelled in one way only.
 *
 * A state is a place (outside, or an automaton's state with a count) and a partial character, in one number.
 */
export class TextTerminal implements Terminal {
  readonly start: number
  private readonly automaton: TextAutomaton
  private readonly lengths: TextLengths
  private readonly isJson: boolean
  private readonly countsUnits: boolean
  private readonly bytes: CharacterBytes
  private readonly characters: CharacterSteps
  /** Class of each ASCII byte that is a character by itself, -1 for the others. */
  private readonly direct = new Int32Array(0x80).fill(-1)
  /** By place: automaton's state, count, and next place by class. */
  private readonly inner: number[] = [START_STATE, START_STATE]
  private readonly counts: number[] = [0, 0]
  private readonly rows: Int32Array[] = []
  private readonly places = new Map<number, number>()

  constructor(options: TextTerminalOptions) {
    this.automaton = options.automaton ?? ANY_TEXT
    this.lengths = new TextLengths(this.automaton, options.minLength ?? 0, options.maxLength)
    this.isJson = options.spelling === 'json'
    this.countsUnits = options.countsUnits ?? false
    this.bytes = CHARACTER_BYTES[options.spelling]
    this.characters = createCharacterSteps(this.automaton, this.bytes, this.countsUnits)
    for (let byte = 0; byte < 0x80; byte++) {
      if (this.bytes.next(WHOLE, byte) === -2 - byte) this.direct[byte] = this.characters.classes(byte)[0]!
    }
    const isPossible = this.automaton.numStates > 0 && this.lengths.canFinish(START_STATE, 0)
    const first = isPossible ? this.placeOf(START_STATE, 0) : DEAD
    this.start = !isPossible ? DEAD : (this.isJson ? BEFORE : first) * MAX_PARTIALS
  }

  step(state: number, byte: number): number {
    const place = (state / MAX_PARTIALS) | 0
    const partial = state - place * MAX_PARTIALS
    if (partial === WHOLE && byte < 0x80 && place >= NUM_OUTSIDE) {
      const symbol = this.direct[byte]!
      if (symbol >= 0) {
        const next = this.next(place, symbol)
        return next === DEAD ? DEAD : next * MAX_PARTIALS
      }
    }
    if (place < NUM_OUTSIDE) {
      return place === BEFORE && byte === QUOTE ? this.placeOf(START_STATE, 0) * MAX_PARTIALS : DEAD
    }
    if (partial === WHOLE && byte === QUOTE && this.isJson) {
      return this.canEnd(place) ? AFTER * MAX_PARTIALS : DEAD
    }
    const next = this.bytes.next(partial, byte)
    if (next === NO_CHARACTER) return DEAD
    if (next >= 0) {
      const hasWay = this.characters.ways(next).some(way => this.follow(place, way) !== DEAD)
      return hasWay ? place * MAX_PARTIALS + next : DEAD
    }
    const target = this.follow(place, this.characters.classes(-2 - next))
    return target === DEAD ? DEAD : target * MAX_PARTIALS
  }

  isAccepting(state: number): boolean {
    const place = (state / MAX_PARTIALS) | 0
    if (this.isJson) return place === AFTER
    return state === place * MAX_PARTIALS && this.canEnd(place)
  }

  canContinue(state: number): boolean {
    const place = (state / MAX_PARTIALS) | 0
    if (place < NUM_OUTSIDE) return place === BEFORE
    if (this.isJson || state !== place * MAX_PARTIALS) return true
    for (let symbol = 0; symbol < this.automaton.numClasses; symbol++) {
      if (this.next(place, symbol) !== DEAD) return true
    }
    return false
  }

  freeText(state: number): FreeText | undefined {
    const place = (state / MAX_PARTIALS) | 0
    const isInside = place >= NUM_OUTSIDE && state === place * MAX_PARTIALS
    if (!this.isJson || this.automaton !== ANY_TEXT || !isInside) return undefined
    return { ...this.lengths.left(this.counts[place]!), countsUnits: this.countsUnits }
  }

  /** Place behind a character, given by its classes: one, or two for a pair of surrogates. */
  private follow(place: number, classes: readonly number[]): number {
    let current = place
    for (const symbol of classes) {
      current = this.next(current, symbol)
      if (current === DEAD) return DEAD
    }
    return current
  }

  private next(place: number, symbol: number): number {
    const row = this.rows[place]!
    const known = row[symbol]!
    if (known !== UNKNOWN) return known
    const { table, numClasses } = this.automaton
    const inner = table[this.inner[place]! * numClasses + symbol]!
    const count = this.lengths.next(this.counts[place]!)
    const next = inner >= 0 && this.lengths.canFinish(inner, count) ? this.placeOf(inner, count) : DEAD
    row[symbol] = next
    return next
  }

  private canEnd(place: number): boolean {
    return this.automaton.accepting[this.inner[place]!] === 1 && this.lengths.isEnough(this.counts[place]!)
  }

  private placeOf(inner: number, count: number): number {
    const key = count * this.automaton.numStates + inner
    const known = this.places.get(key)
    if (known !== undefined) return known
    const place = this.inner.push(inner) - 1
    this.counts.push(count)
    this.rows[place] = new Int32Array(this.automaton.numClasses).fill(UNKNOWN)
    this.places.set(key, place)
    return place
  }
}

import { DEAD, type Terminal, type TextPlace, type TextSteps } from './terminal.js'
import { ANY_TEXT, START_STATE, type TextAutomaton } from './text-automaton.js'
import { CHARACTER_BYTES, type CharacterBytes, MAX_PARTIALS, NO_CHARACTER, WHOLE } from './text-bytes.js'
import { TextLengths } from './text-lengths.js'
import { UnlimitedText } from './unlimited-text.js'

/** Which texts are allowed, and how they are written. */
export interface TextTerminalOptions {
  readonly automaton?: TextAutomaton | undefined
  readonly minLength?: number | undefined
  readonly maxLength?: number | undefined
  /** `json`: between quotes and escaped as `JSON.stringify` does; `plain`: as it is. */
  readonly spelling: 'json' | 'plain'
  /** Match UTF-16 units as JavaScript does, instead of code points as JSON Schema does. Lengths are code points always. */
  readonly matchesUnits?: boolean | undefined
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
export class TextTerminal implements Terminal, TextSteps {
  readonly start: number
  readonly spelling: 'json' | 'plain'
  private readonly automaton: TextAutomaton
  private readonly lengths: TextLengths
  private readonly isJson: boolean
  private readonly bytes: CharacterBytes
  private readonly unlimited: UnlimitedText
  /** Class of each ASCII byte that is a character by itself, -1 for the others. */
  private readonly direct = new Int32Array(0x80).fill(-1)
  /** By place: automaton's state, count, and next place by class. */
  private readonly inner: number[] = [START_STATE, START_STATE]
  private readonly counts: number[] = [0, 0]
  private readonly rows: Int32Array[] = []
  private readonly places = new Map<number, number>()

  constructor(options: TextTerminalOptions) {
    this.automaton = options.automaton ?? ANY_TEXT
    this.spelling = options.spelling
    this.isJson = options.spelling === 'json'
    this.bytes = CHARACTER_BYTES[options.spelling]
    this.unlimited = UnlimitedText.of(this.automaton, options.spelling, options.matchesUnits ?? false)
    this.lengths = new TextLengths(this.automaton, options, this.unlimited)
    const { characters } = this.unlimited
    for (let byte = 0; byte < 0x80; byte++) {
      if (this.bytes.next(WHOLE, byte) === -2 - byte) this.direct[byte] = characters.classes(byte)
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
        const next = this.nextPlace(place, symbol)
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
    if (next >= 0) return this.leastBehindPartial(place, next) < 0 ? DEAD : place * MAX_PARTIALS + next
    const target = this.nextPlace(place, this.unlimited.characters.classes(-2 - next))
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
    return this.unlimited.characters.all.some(classes => this.nextPlace(place, classes) !== DEAD)
  }

  textPlace(state: number): TextPlace | undefined {
    const place = (state / MAX_PARTIALS) | 0
    if (place < NUM_OUTSIDE || state !== place * MAX_PARTIALS) return undefined
    const { min, max } = this.lengths.left(this.counts[place]!)
    // characters that must still come leave the choice of all tokens to free text only
    if (min > 0 && this.automaton !== ANY_TEXT) return { text: this, place, min: 0, max: Infinity }
    return { text: this.unlimited, place: this.inner[place]!, min, max }
  }

  classesOf(codePoints: readonly number[]): Int32Array {
    return this.unlimited.classesOf(codePoints)
  }

  /** Limits are looked after by `nextPlace`. */
  leastBehind(): number {
    return 0
  }

  leastBehindPartial(place: number, partial: number): number {
    const { characters } = this.unlimited
    return characters.ways(partial).some(classes => this.nextPlace(place, classes) !== DEAD) ? 0 : -1
  }

  nextPlace(place: number, classes: number): number {
    const inner = this.inner[place]!
    if (classes < 0) return this.computePlace(place, this.unlimited.nextPlace(inner, classes))
    const row = this.rows[place]!
    const known = row[classes]!
    if (known !== UNKNOWN) return known
    const next = this.computePlace(place, this.unlimited.nextPlace(inner, classes))
    row[classes] = next
    return next
  }

  private computePlace(place: number, inner: number): number {
    if (inner < 0) return DEAD
    const count = this.lengths.next(this.counts[place]!)
    return this.lengths.canFinish(inner, count) ? this.placeOf(inner, count) : DEAD
  }

  canEnd(place: number): boolean {
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

import { type CharacterSteps, createCharacterSteps, stepOver } from './character-steps.js'
import { DEAD, type TextSteps } from './terminal.js'
import type { TextAutomaton } from './text-automaton.js'
import { CHARACTER_BYTES, type Partial } from './text-bytes.js'

const made = new WeakMap<TextAutomaton, Map<string, UnlimitedText>>()

/** The text of an automaton of whatever length; places are the automaton's states. Texts of different limits share it. */
export class UnlimitedText implements TextSteps {
  readonly characters: CharacterSteps
  /** By state: the least number of characters to acceptance. */
  private readonly least: Int32Array
  private readonly classes = new WeakMap<readonly number[], Int32Array>()

  private constructor(
    private readonly automaton: TextAutomaton,
    readonly spelling: 'json' | 'plain',
    matchesUnits: boolean,
  ) {
    this.characters = createCharacterSteps(automaton, CHARACTER_BYTES[spelling], matchesUnits)
    this.least = leastToAcceptance(automaton, this.characters.all)
  }

  static of(automaton: TextAutomaton, spelling: 'json' | 'plain', matchesUnits: boolean): UnlimitedText {
    const known = made.get(automaton) ?? new Map<string, UnlimitedText>()
    made.set(automaton, known)
    const key = `${spelling} ${matchesUnits}`
    const text = known.get(key) ?? new UnlimitedText(automaton, spelling, matchesUnits)
    known.set(key, text)
    return text
  }

  classesOf(codePoints: readonly number[]): Int32Array {
    const known = this.classes.get(codePoints)
    if (known) return known
    const classes = Int32Array.from(codePoints, this.characters.classes)
    this.classes.set(codePoints, classes)
    return classes
  }

  nextPlace(state: number, classes: number): number {
    const { table, numClasses } = this.automaton
    return classes < 0 ? stepOver(this.automaton, state, classes) : table[state * numClasses + classes]!
  }

  canEnd(state: number): boolean {
    return this.automaton.accepting[state] === 1
  }

  leastBehind(state: number): number {
    return this.least[state]!
  }

  leastBehindPartial(state: number, partial: Partial): number {
    let least = -1
    for (const classes of this.characters.ways(partial)) {
      const next = this.nextPlace(state, classes)
      if (next === DEAD) continue
      if (least < 0 || this.least[next]! < least) least = this.least[next]!
    }
    return least
  }
}

/** Breadth first from the accepting states backwards. */
function leastToAcceptance(automaton: TextAutomaton, characters: readonly number[]): Int32Array {
  const { numStates, numClasses, table, accepting } = automaton
  const before: number[][] = Array.from({ length: numStates }, () => [])
  for (let state = 0; state < numStates; state++) {
    for (const classes of characters) {
      const next = classes < 0 ? stepOver(automaton, state, classes) : table[state * numClasses + classes]!
      if (next >= 0) before[next]!.push(state)
    }
  }
  const least = new Int32Array(numStates).fill(-1)
  const queue = [...least.keys()].filter(state => accepting[state] === 1)
  for (const state of queue) least[state] = 0
  for (const state of queue) {
    for (const earlier of before[state]!) {
      if (least[earlier]! >= 0) continue
      least[earlier] = least[state]! + 1
      queue.push(earlier)
    }
  }
  return least
}

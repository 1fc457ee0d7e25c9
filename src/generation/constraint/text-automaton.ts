import { NVLMError } from '../../core/errors.js'
import type { CodePointSet } from './code-point-set.js'
import type { RegexNode } from './parse-regex.js'
import { buildNfa, type Nfa } from './regex-nfa.js'

/** Most states of an automaton, so that a hostile pattern can't eat the memory. */
const MAX_STATES = 20_000

/**
 * A deterministic automaton over code points that knows which texts belong to a language.
 *
 * Pruned: from every state some text leads to acceptance. Code points that it never tells apart share a class.
 */
export interface TextAutomaton {
  readonly numStates: number
  readonly numClasses: number
  /** First code point of each segment; a segment's code points are of one class. */
  readonly segmentStarts: readonly number[]
  readonly segmentClasses: readonly number[]
  /** int32 [numStates, numClasses]: the next state, -1 for none. */
  readonly table: Int32Array
  /** uint8 [numStates] */
  readonly accepting: Uint8Array
}

/** State before any text. An automaton without states accepts nothing. */
export const START_STATE = 0

/** The automaton that accepts every text. */
export const ANY_TEXT: TextAutomaton = {
  numStates: 1,
  numClasses: 1,
  segmentStarts: [0],
  segmentClasses: [0],
  table: new Int32Array([0]),
  accepting: new Uint8Array([1]),
}

/** Next state, -1 for none. */
export function nextState(automaton: TextAutomaton, state: number, codePoint: number): number {
  return automaton.table[state * automaton.numClasses + classOf(automaton, codePoint)]!
}

/** Class of a code point. */
export function classOf(automaton: TextAutomaton, codePoint: number): number {
  return automaton.segmentClasses[segmentOf(automaton, codePoint)]!
}

/** Number of the segment with a code point. */
export function segmentOf({ segmentStarts }: TextAutomaton, codePoint: number): number {
  let low = 0
  let high = segmentStarts.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (segmentStarts[middle]! <= codePoint) low = middle
    else high = middle - 1
  }
  return low
}

/** Does the language have this text? */
export function acceptsText(automaton: TextAutomaton, text: string): boolean {
  if (automaton.numStates === 0) return false
  let state = START_STATE
  for (const character of text) {
    state = nextState(automaton, state, character.codePointAt(0)!)
    if (state < 0) return false
  }
  return automaton.accepting[state] === 1
}

/**
 * The automaton of a regular expression.
 *
 * @param isWhole - must the expression match the whole text, or some part of it?
 * @throws {NVLMError} SCHEMA_UNSUPPORTED if it needs too many states
 */
export function regexAutomaton(regex: RegexNode, isWhole: boolean): TextAutomaton {
  const nfa = buildNfa(regex, isWhole)
  const { starts, classes, representatives } = segments(nfa.sets)
  const moves = nfa.sets.map(set => new Set(representativesIn(set, representatives)))
  return determinise(nfa, moves, { starts, classes, numClasses: representatives.length })
}

/** Texts that both automata accept. */
export function intersectAutomata(a: TextAutomaton, b: TextAutomaton): TextAutomaton {
  return product(a, b, (inA, inB) => inA && inB)
}

/** Texts that `a` accepts and `b` does not. */
export function subtractAutomaton(a: TextAutomaton, b: TextAutomaton): TextAutomaton {
  return product(a, b, (inA, inB) => inA && !inB)
}

interface Alphabet {
  readonly starts: readonly number[]
  readonly classes: readonly number[]
  readonly numClasses: number
}

/** Cut the code points where a set begins or ends; segments that lie in the same sets are one class. */
function segments(sets: readonly CodePointSet[]) {
  const cuts = new Set([0])
  for (const [from, to] of sets.flat()) {
    cuts.add(from)
    cuts.add(to + 1)
  }
  const starts = [...cuts].filter(cut => cut <= 0x10ffff).sort((a, b) => a - b)
  const signatures: string[] = starts.map(() => '')
  const places = new Map(starts.map((start, index) => [start, index]))
  for (const [setIndex, set] of sets.entries()) {
    for (const [from, to] of set) {
      const end = places.get(to + 1) ?? starts.length
      for (let index = places.get(from)!; index < end; index++) signatures[index] += `${setIndex},`
    }
  }
  const known = new Map<string, number>()
  const representatives: number[] = []
  const classes = signatures.map((signature, index) => {
    const found = known.get(signature)
    if (found !== undefined) return found
    known.set(signature, representatives.length)
    return representatives.push(starts[index]!) - 1
  })
  return { starts, classes, representatives }
}

function representativesIn(set: CodePointSet, representatives: readonly number[]): readonly number[] {
  return representatives.flatMap((codePoint, index) =>
    set.some(([from, to]) => from <= codePoint && codePoint <= to) ? [index] : [],
  )
}

/** Subset construction. */
function determinise(nfa: Nfa, moves: readonly ReadonlySet<number>[], alphabet: Alphabet): TextAutomaton {
  const ids = new Map<string, number>()
  const subsets: (readonly number[])[] = []
  const idOf = (nodes: Iterable<number>, prefix = ''): number => {
    const sorted = [...nodes].sort((a, b) => a - b)
    if (sorted.length === 0) return -1
    const key = prefix + sorted.join(',')
    const known = ids.get(key)
    if (known !== undefined) return known
    if (subsets.length >= MAX_STATES) throw tooLarge()
    ids.set(key, subsets.length)
    return subsets.push(sorted) - 1
  }
  // the start is a state of its own: only there an empty text is at its beginning and end
  idOf(nfa.closure([nfa.start], true), '^')
  const rows: number[] = []
  for (let state = 0; state < subsets.length; state++) {
    const edges = subsets[state]!.flatMap(node => nfa.edges[node]!)
    for (let symbol = 0; symbol < alphabet.numClasses; symbol++) {
      const targets = edges.filter(({ set }) => moves[set]!.has(symbol)).map(({ to }) => to)
      rows.push(targets.length === 0 ? -1 : idOf(nfa.closure(targets, false)))
    }
  }
  const accepting = Uint8Array.from(subsets, (nodes, state) =>
    nodes.some(node => nfa.canEnd(node, state === START_STATE)) ? 1 : 0,
  )
  return prune(alphabet, Int32Array.from(rows), accepting)
}

function product(
  a: TextAutomaton,
  b: TextAutomaton,
  isAccepted: (inA: boolean, inB: boolean) => boolean,
): TextAutomaton {
  const starts = [...new Set([...a.segmentStarts, ...b.segmentStarts])].sort((x, y) => x - y)
  const pairs = new Map<string, number>()
  const symbols: (readonly [number, number])[] = []
  const classes = starts.map(start => {
    const pair = [classOf(a, start), classOf(b, start)] as const
    const key = pair.join()
    const known = pairs.get(key)
    if (known !== undefined) return known
    pairs.set(key, symbols.length)
    return symbols.push(pair) - 1
  })
  const ids = new Map<number, number>()
  const states: (readonly [number, number])[] = []
  const idOf = (inA: number, inB: number): number => {
    const key = inA * (b.numStates + 1) + inB + 1
    const known = ids.get(key)
    if (known !== undefined) return known
    if (states.length >= MAX_STATES) throw tooLarge()
    ids.set(key, states.length)
    return states.push([inA, inB]) - 1
  }
  if (a.numStates > 0) idOf(START_STATE, b.numStates > 0 ? START_STATE : -1)
  const rows: number[] = []
  for (let state = 0; state < states.length; state++) {
    const [inA, inB] = states[state]!
    for (const [symbolA, symbolB] of symbols) {
      const nextA = a.table[inA * a.numClasses + symbolA]!
      const nextB = inB < 0 ? -1 : b.table[inB * b.numClasses + symbolB]!
      rows.push(nextA < 0 ? -1 : idOf(nextA, nextB))
    }
  }
  const accepting = Uint8Array.from(states, ([inA, inB]) =>
    isAccepted(a.accepting[inA] === 1, inB >= 0 && b.accepting[inB] === 1) ? 1 : 0,
  )
  return prune({ starts, classes, numClasses: symbols.length }, Int32Array.from(rows), accepting)
}

/** Leave out the states from which nothing is accepted. */
function prune(alphabet: Alphabet, table: Int32Array, accepting: Uint8Array): TextAutomaton {
  const { starts, classes, numClasses } = alphabet
  const isLive = Uint8Array.from(accepting)
  for (let hasChanged = true; hasChanged; ) {
    hasChanged = false
    for (let state = accepting.length - 1; state >= 0; state--) {
      if (isLive[state] === 1) continue
      for (let symbol = 0; symbol < numClasses; symbol++) {
        const next = table[state * numClasses + symbol]!
        if (next < 0 || isLive[next] !== 1) continue
        isLive[state] = 1
        hasChanged = true
        break
      }
    }
  }
  const kept = [...accepting.keys()].filter(state => isLive[state] === 1)
  const names = new Int32Array(accepting.length).fill(-1)
  const hasStart = isLive[START_STATE] === 1
  for (const [index, state] of (hasStart ? kept : []).entries()) names[state] = index
  const states = hasStart ? kept : []
  return {
    numStates: states.length,
    numClasses,
    segmentStarts: starts,
    segmentClasses: classes,
    table: Int32Array.from(
      states.flatMap(state =>
        Array.from(table.subarray(state * numClasses, (state + 1) * numClasses), next =>
          next < 0 ? -1 : names[next]!,
        ),
      ),
    ),
    accepting: Uint8Array.from(states, state => accepting[state]!),
  }
}

function tooLarge(): NVLMError {
  return new NVLMError('SCHEMA_UNSUPPORTED', `the pattern needs more than ${MAX_STATES} states`, {
    hint: 'Make it simpler, above all its counted repetitions.',
  })
}

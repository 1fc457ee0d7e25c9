import { classOf, type TextAutomaton } from './text-automaton.js'
import type { CharacterBytes, Partial } from './text-bytes.js'

/**
 * Which steps of an automaton a character is: its class, or where units are matched the two of its surrogates, as
 * `-1 - high * numClasses - low`.
 */
export interface CharacterSteps {
  classes(codePoint: number): number
  /** The different classes of the characters that can become of a partial one. */
  ways(partial: Partial): readonly number[]
  /** The different classes of all characters. */
  readonly all: readonly number[]
}

/** @param matchesUnits - are characters above U+FFFF two steps? */
export function createCharacterSteps(
  automaton: TextAutomaton,
  bytes: CharacterBytes,
  matchesUnits: boolean,
): CharacterSteps {
  const { segmentStarts, numClasses } = automaton
  const known: (readonly number[] | undefined)[] = []
  const classes = (codePoint: number): number => {
    if (!matchesUnits || codePoint <= 0xffff) return classOf(automaton, codePoint)
    const rest = codePoint - 0x10000
    const high = classOf(automaton, 0xd800 + (rest >> 10))
    return -1 - high * numClasses - classOf(automaton, 0xdc00 + (rest & 0x3ff))
  }
  const waysIn = (from: number, to: number): readonly number[] => [
    ...samples(segmentStarts, from, Math.min(to, 0xffff)),
    ...(matchesUnits ? unitSamples : samples)(segmentStarts, Math.max(from, 0x10000), to),
  ]
  const unique = (codePoints: readonly number[]) => [...new Set(codePoints.map(classes))]
  return {
    classes,
    ways(partial) {
      known[partial] ??= unique(bytes.range(partial).flatMap(([from, to]) => waysIn(from, to)))
      return known[partial]
    },
    all: unique(waysIn(0, 0x10ffff)),
  }
}

/** State behind two surrogates, -1 for none. */
export function stepOver({ table, numClasses }: TextAutomaton, state: number, classes: number): number {
  const pair = -1 - classes
  const low = pair % numClasses
  const middle = table[state * numClasses + (pair - low) / numClasses]!
  return middle < 0 ? -1 : table[middle * numClasses + low]!
}

/** One code point of each segment that meets a range; surrogates are none. */
function samples(segmentStarts: readonly number[], from: number, to: number): readonly number[] {
  if (from > to) return []
  return [from, ...segmentStarts.filter(start => start > from && start <= to), 0xe000].filter(
    codePoint => codePoint >= from && codePoint <= to && (codePoint < 0xd800 || codePoint > 0xdfff),
  )
}

/** The same above U+FFFF where each surrogate has a segment of its own. */
function unitSamples(segmentStarts: readonly number[], from: number, to: number): readonly number[] {
  if (from > to) return []
  const cuts = segmentStarts.filter(start => start > 0xd800 && start <= 0xdfff)
  const highs = [0xd800 + ((from - 0x10000) >> 10), ...cuts.filter(cut => cut <= 0xdbff)]
  const lows = [0xdc00 + (from & 0x3ff), 0xdc00, ...cuts.filter(cut => cut > 0xdc00)]
  return highs
    .flatMap(high => lows.map(low => 0x10000 + (high - 0xd800) * 0x400 + (low - 0xdc00)))
    .filter(codePoint => codePoint >= from && codePoint <= to)
}

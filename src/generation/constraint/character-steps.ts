import { classOf, type TextAutomaton } from './text-automaton.js'
import type { CharacterBytes, Partial } from './text-bytes.js'

/** Which steps of an automaton a character is. */
export interface CharacterSteps {
  /** Classes of a code point: one, or those of its two surrogates where units count. */
  classes(codePoint: number): readonly number[]
  /** The different classes of the characters that can become of a partial one. */
  ways(partial: Partial): readonly (readonly number[])[]
}

/** @param countsUnits - are characters above U+FFFF two steps? */
export function createCharacterSteps(
  automaton: TextAutomaton,
  bytes: CharacterBytes,
  countsUnits: boolean,
): CharacterSteps {
  const ascii = Array.from({ length: 0x80 }, (_, codePoint) => [classOf(automaton, codePoint)])
  const known = new Map<Partial, readonly (readonly number[])[]>()
  const singles = new Map<number, readonly number[]>()
  const single = (symbol: number): readonly number[] => {
    const made = singles.get(symbol) ?? [symbol]
    singles.set(symbol, made)
    return made
  }
  const classes = (codePoint: number): readonly number[] => {
    if (codePoint < 0x80) return ascii[codePoint]!
    if (!countsUnits || codePoint <= 0xffff) return single(classOf(automaton, codePoint))
    const rest = codePoint - 0x10000
    return [classOf(automaton, 0xd800 + (rest >> 10)), classOf(automaton, 0xdc00 + (rest & 0x3ff))]
  }
  const ways = (partial: Partial): readonly (readonly number[])[] => {
    const found = known.get(partial)
    if (found) return found
    const codePoints = bytes
      .range(partial)
      .flatMap(([from, to]) => [
        ...samples(automaton.segmentStarts, from, Math.min(to, 0xffff)),
        ...(countsUnits ? unitSamples : samples)(automaton.segmentStarts, Math.max(from, 0x10000), to),
      ])
    const unique = new Map(codePoints.map(codePoint => [classes(codePoint).join(), classes(codePoint)]))
    known.set(partial, [...unique.values()])
    return known.get(partial)!
  }
  return { classes, ways }
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

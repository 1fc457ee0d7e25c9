import type { RegexNode } from './parse-regex.js'

/** Longest least length that is taken for a limit. */
const MAX_MIN_LENGTH = 10_000

/** A pattern that only limits the length of texts made of some characters. */
export interface CountedSet {
  /** The same without limits. */
  readonly anyNumber: RegexNode
  readonly minLength: number
  /** Absent: no limit. */
  readonly maxLength: number | undefined
}

/**
 * See in a pattern such as `[a-z]{1,200}` a limit on the length, which costs less than a state for each count.
 *
 * @param isWhole - does it match whole texts, or some part of a text (so that it needs `^` and `$`)?
 * @param byUnits - are its sets of UTF-16 units?
 * @returns undefined for all other patterns
 */
export function readCountedSet(regex: RegexNode, isWhole: boolean, byUnits: boolean): CountedSet | undefined {
  const items = regex.type === 'sequence' ? regex.items : [regex]
  const isAnchored = items.length === 3 && items[0]!.type === 'start' && items[2]!.type === 'end'
  const inner = isAnchored ? items[1]! : isWhole && items.length === 1 ? items[0]! : undefined
  if (inner?.type !== 'repeat' || inner.item.type !== 'set') return undefined
  // two units may be one character
  const isOneUnit = inner.item.set.every(([from, to]) => to < 0xd800 || (from > 0xdfff && to <= 0xffff))
  if (byUnits && !isOneUnit) return undefined
  const { min: minLength, max, item } = inner
  if (minLength > MAX_MIN_LENGTH) return undefined
  return {
    anyNumber: { type: 'repeat', item, min: 0, max: Infinity },
    minLength,
    maxLength: max === Infinity ? undefined : max,
  }
}

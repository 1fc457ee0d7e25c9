import { type CodePointSet, codePointSet } from './code-point-set.js'
import { parseRegex, type RegexNode } from './parse-regex.js'

/**
 * Parse an expression so that its automaton reads UTF-16 units, as JavaScript does.
 *
 * JavaScript matches units without the flag `u`, and code points with it. A pattern that comes without its flags is
 * taken for one with `u` if it says something that means nothing else, `\p{…}` or `\u{…}`.
 */
export function parseUnitRegex(source: string): RegexNode {
  return /\\[pP]\{|\\u\{/.test(source)
    ? toUnits(parseRegex(source))
    : parseRegex(source, '', { byUnits: true })
}

/** Write code points above U+FFFF as pairs of units. */
function toUnits(node: RegexNode): RegexNode {
  switch (node.type) {
    case 'set':
      return setToUnits(node.set)
    case 'sequence':
    case 'choice':
      return { type: node.type, items: node.items.map(toUnits) }
    case 'repeat':
      return { ...node, item: toUnits(node.item) }
    default:
      return node
  }
}

function setToUnits(set: CodePointSet): RegexNode {
  // half of a pair is no code point of well-formed text
  const single = [...between(set, 0, 0xd7ff), ...between(set, 0xe000, 0xffff)]
  const pairs = set.flatMap(([from, to]) => (to > 0xffff ? pairsOf(Math.max(from, 0x10000), to) : []))
  return { type: 'choice', items: [{ type: 'set', set: codePointSet(single) }, ...pairs] }
}

/** What of a set lies between two code points. */
function between(set: CodePointSet, first: number, last: number): CodePointSet {
  return set.flatMap(([from, to]) =>
    from > last || to < first ? [] : [[Math.max(from, first), Math.min(to, last)] as const],
  )
}

/** The pairs of a range: those of its first and last high surrogate, and all of those between. */
function pairsOf(from: number, to: number): readonly RegexNode[] {
  const [firstHigh, lastHigh] = [highOf(from), highOf(to)]
  if (firstHigh === lastHigh) return [pair(firstHigh, firstHigh, lowOf(from), lowOf(to))]
  return [
    pair(firstHigh, firstHigh, lowOf(from), 0xdfff),
    ...(lastHigh > firstHigh + 1 ? [pair(firstHigh + 1, lastHigh - 1, 0xdc00, 0xdfff)] : []),
    pair(lastHigh, lastHigh, 0xdc00, lowOf(to)),
  ]
}

function pair(high: number, lastHigh: number, low: number, lastLow: number): RegexNode {
  return {
    type: 'sequence',
    items: [
      { type: 'set', set: [[high, lastHigh]] },
      { type: 'set', set: [[low, lastLow]] },
    ],
  }
}

function highOf(codePoint: number): number {
  return 0xd800 + ((codePoint - 0x10000) >> 10)
}

function lowOf(codePoint: number): number {
  return 0xdc00 + (codePoint & 0x3ff)
}

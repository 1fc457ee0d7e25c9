/** Code points as ranges, both ends included, in order, neither overlapping nor touching. */
export type CodePointSet = readonly (readonly [from: number, to: number])[]

/** Largest code point. */
export const MAX_CODE_POINT = 0x10ffff

/** Every code point. */
export const ANY_CODE_POINT: CodePointSet = [[0, MAX_CODE_POINT]]

/** A set of ranges in any order. */
export function codePointSet(ranges: readonly (readonly [number, number])[]): CodePointSet {
  const merged: [number, number][] = []
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const last = merged.at(-1)
    if (last && from <= last[1] + 1) last[1] = Math.max(last[1], to)
    else merged.push([from, to])
  }
  return merged
}

/** Every code point that is not in `set`. */
export function complementSet(set: CodePointSet): CodePointSet {
  const ranges: [number, number][] = []
  let from = 0
  for (const [start, end] of set) {
    if (start > from) ranges.push([from, start - 1])
    from = end + 1
  }
  if (from <= MAX_CODE_POINT) ranges.push([from, MAX_CODE_POINT])
  return ranges
}

/** Is `codePoint` in `set`? */
export function hasCodePoint(set: CodePointSet, codePoint: number): boolean {
  return set.some(([from, to]) => from <= codePoint && codePoint <= to)
}

const propertySets = new Map<string, CodePointSet>()

/**
 * The code points with a Unicode property, as the JavaScript engine knows them.
 *
 * @param property - what stands between the braces of `\p{…}`
 * @returns undefined for a property that does not exist
 */
export function unicodePropertySet(property: string): CodePointSet | undefined {
  const known = propertySets.get(property)
  if (known) return known
  let pattern: RegExp
  try {
    pattern = new RegExp(`^\\p{${property}}$`, 'u')
  } catch {
    return undefined
  }
  const ranges: [number, number][] = []
  for (let codePoint = 0; codePoint <= MAX_CODE_POINT; codePoint++) {
    if (!pattern.test(String.fromCodePoint(codePoint))) continue
    const last = ranges.at(-1)
    if (last && last[1] === codePoint - 1) last[1] = codePoint
    else ranges.push([codePoint, codePoint])
  }
  propertySets.set(property, ranges)
  return ranges
}

/** Bytes from `start` up to, and without, `end`. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** A set of byte positions, kept as sorted ranges that don't touch. */
export class ByteRanges {
  private ranges: ByteRange[] = []

  constructor(ranges: Iterable<ByteRange> = []) {
    for (const range of ranges) this.add(range)
  }

  /** Ranges in order; none touches the next. */
  get list(): readonly ByteRange[] {
    return this.ranges
  }

  /** How many bytes there are. */
  get numBytes(): number {
    return this.ranges.reduce((sum, { start, end }) => sum + end - start, 0)
  }

  /** End of the range that begins at 0; 0 if there is none. */
  get prefixEnd(): number {
    const first = this.ranges[0]
    return first?.start === 0 ? first.end : 0
  }

  /** Add a range; what is there already changes nothing. */
  add({ start, end }: ByteRange): void {
    if (end <= start) return
    const before = this.ranges.filter(range => range.end < start)
    const after = this.ranges.filter(range => range.start > end)
    const touching = this.ranges.slice(before.length, this.ranges.length - after.length)
    const merged = {
      start: Math.min(start, ...touching.map(range => range.start)),
      end: Math.max(end, ...touching.map(range => range.end)),
    }
    this.ranges = [...before, merged, ...after]
  }

  /**
   * What lacks to `size` bytes, in order.
   *
   * @param maxLength - longer gaps are cut into pieces of this length
   */
  gaps(size: number, maxLength = size): readonly ByteRange[] {
    const gaps: ByteRange[] = []
    let from = 0
    for (const { start, end } of [...this.ranges, { start: size, end: size }]) {
      for (; from < start; from += Math.min(maxLength, start - from)) {
        gaps.push({ start: from, end: Math.min(start, from + maxLength) })
      }
      from = Math.max(from, end)
    }
    return gaps
  }
}

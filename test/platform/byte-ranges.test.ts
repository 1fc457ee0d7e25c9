import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteRanges } from '../../src/platform/byte-ranges.js'

const range = fc.tuple(fc.nat(60), fc.nat(20)).map(([start, length]) => ({ start, end: start + length }))

test('is a set of positions: the same as marking each one', () => {
  fc.assert(
    fc.property(fc.array(range, { maxLength: 12 }), fc.integer({ min: 1, max: 90 }), (added, maxLength) => {
      const marked = new Set(
        added.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)),
      )
      const ranges = new ByteRanges(added)
      const { list } = ranges
      expect(ranges.numBytes).toBe(marked.size)
      expect(
        list.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)),
      ).toEqual([...marked].sort((a, b) => a - b))
      for (let i = 1; i < list.length; i++) expect(list[i]!.start).toBeGreaterThan(list[i - 1]!.end)
      let prefix = 0
      while (marked.has(prefix)) prefix++
      expect(ranges.prefixEnd).toBe(prefix)
      const gaps = ranges.gaps(80, maxLength)
      const missing = Array.from({ length: 80 }, (_, i) => i).filter(position => !marked.has(position))
      expect(
        gaps.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => start + i)),
      ).toEqual(missing)
      expect(Math.max(0, ...gaps.map(({ start, end }) => end - start))).toBeLessThanOrEqual(maxLength)
    }),
  )
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WriteFrontier, type WrittenPart } from '../../src/prepare/write-frontier.js'

/** Parts of up to three files, with gaps, and an order in which they are written. */
const parts = fc
  .array(fc.record({ file: fc.constantFrom('a', 'b', 'c'), offset: fc.nat(100) }), { maxLength: 40 })
  .map(all => [...new Map(all.map(part => [`${part.file} ${part.offset}`, part])).values()])
const writing = parts.chain(all =>
  fc.record({
    all: fc.constant(all),
    order: fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length }),
  }),
)

test('a file is whole up to the first part that is not written', () => {
  fc.assert(
    fc.property(writing, ({ all, order }) => {
      const ends = new Map<string, number>()
      const frontier = new WriteFrontier(all, (file, end) => {
        expect(end).toBeGreaterThan(ends.get(file) ?? Number.NEGATIVE_INFINITY)
        ends.set(file, end)
      })
      const left = new Set<WrittenPart>(all)
      const started = new Map(['a', 'b', 'c'].map(file => [file, first(left, file)]))
      for (const part of order) {
        frontier.add(part)
        left.delete(part)
        const open = first(left, part.file)
        // nothing is said of a file whose first part is open, nor of the end of the last
        if (open === undefined) continue
        expect(ends.get(part.file)).toBe(open === started.get(part.file) ? undefined : open)
      }
    }),
  )
})

function first(left: ReadonlySet<WrittenPart>, file: string): number | undefined {
  const offsets = [...left].filter(part => part.file === file).map(({ offset }) => offset)
  return offsets.length === 0 ? undefined : Math.min(...offsets)
}

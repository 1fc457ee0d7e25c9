import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { mergeByHeap, mergeByScan, mergePairs } from '../../src/tokenizer/merge-pairs.js'
import { type Merge, MergeTable, NO_MERGE } from '../../src/tokenizer/merge-table.js'

/** Merges over the letters 0, 1 and 2 in any order, also before the merges that make their own parts. */
const anyMerges = fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { maxLength: 12 }).map(pairs => {
  const seen = new Map(pairs.map(pair => [pair.join(), pair]))
  return [...seen.values()].map(([left, right], rank): Merge => ({ left, right, merged: 3 + (rank % 12) }))
})
const anyWord = fc.array(fc.nat(2), { maxLength: 80 })

describe('merging a word', () => {
  test('by heap and by scan give the same tokens', () => {
    fc.assert(
      fc.property(anyWord, anyMerges, (word, merges) => {
        // a merge that makes its own left or right side again would never end
        const table = new MergeTable(
          merges.filter(({ left, right, merged }) => merged > Math.max(left, right)),
        )
        expect(mergeByHeap(word, table)).toEqual(mergeByScan([...word], table))
      }),
      { numRuns: 2000 },
    )
  })

  test('finishes one rank before it looks at pairs of lower rank that came up meanwhile', () => {
    // "ab" + "a" has a lower rank than "a" + "b": in "ababa" both "ab" come first
    const merges = new MergeTable([
      { left: 3, right: 0, merged: 4 },
      { left: 0, right: 1, merged: 3 },
    ])
    expect(mergeByScan([0, 1, 0, 1, 0], merges)).toEqual([3, 4])
    expect(mergeByHeap([0, 1, 0, 1, 0], merges)).toEqual([3, 4])
  })

  test('merges equal neighbours from the left', () => {
    const merges = new MergeTable([{ left: 0, right: 0, merged: 1 }])
    for (const length of [0, 1, 2, 3, 47, 48, 49, 101]) {
      const word = new Array<number>(length).fill(0)
      const expected = [...new Array<number>(length >> 1).fill(1), ...new Array<number>(length % 2).fill(0)]
      expect(mergePairs(word, merges)).toEqual(expected)
    }
  })
})

describe('a merge table', () => {
  test('knows the pairs it was given and no others', () => {
    const pair = fc.tuple(fc.nat(200_000), fc.nat(200_000))
    fc.assert(
      fc.property(fc.array(pair, { maxLength: 60 }), pair, (pairs, [otherLeft, otherRight]) => {
        const ranks = new Map(pairs.map(([left, right], rank) => [`${left} ${right}`, rank]))
        const table = new MergeTable(pairs.map(([left, right], rank) => ({ left, right, merged: 7 * rank })))
        for (const [left, right] of pairs) {
          const rank = ranks.get(`${left} ${right}`)!
          expect(table.rank(left, right)).toBe(rank)
          expect(table.merged(rank)).toBe(7 * rank)
        }
        expect(table.rank(otherLeft, otherRight)).toBe(ranks.get(`${otherLeft} ${otherRight}`) ?? NO_MERGE)
      }),
    )
  })
})

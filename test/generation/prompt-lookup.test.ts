import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PromptLookup } from '../../src/generation/prompt-lookup.js'

const small = new PromptLookup({ minNgram: 2, maxNgram: 3 })

describe('prompt lookup', () => {
  test('guesses what followed the last tokens before', () => {
    expect(small.draft([1, 2, 3, 4, 5, 9, 1, 2], 3)).toEqual([3, 4, 5])
  })

  test('takes the place where most of the last tokens agree, though a shorter one is nearer', () => {
    expect(small.draft([7, 1, 2, 30, 31, 8, 1, 2, 40, 41, 7, 1, 2], 2)).toEqual([30, 31])
  })

  test('of equally good places takes the last', () => {
    expect(small.draft([1, 2, 30, 1, 2, 40, 1, 2], 1)).toEqual([40])
  })

  test('looks at no more than maxNgram tokens', () => {
    const ids = [6, 7, 1, 2, 30, 5, 7, 1, 2, 40, 6, 7, 1, 2]
    expect(small.draft(ids, 1)).toEqual([40])
    expect(new PromptLookup({ minNgram: 2, maxNgram: 4 }).draft(ids, 1)).toEqual([30])
  })

  test('moves one limit along when only the other is given', () => {
    expect(new PromptLookup({ maxNgram: 1 }).draft([1, 30, 2, 1], 1)).toEqual([30])
    expect(new PromptLookup().draft([1, 30, 2, 1], 1)).toEqual([])
    const ids = [9, 1, 2, 3, 4, 5, 30, 8, 2, 3, 4, 5, 40, 1, 2, 3, 4, 5]
    expect(new PromptLookup({ minNgram: 5 }).draft(ids, 1)).toEqual([30])
    expect(new PromptLookup().draft(ids, 1)).toEqual([40])
  })

  test('goes on with what repeats at the end', () => {
    expect(small.draft([9, 1, 2, 3, 1, 2, 3], 7)).toEqual([1, 2, 3, 1, 2, 3, 1])
    expect(small.draft([4, 4, 4], 3)).toEqual([4, 4, 4])
  })

  test('takes a new token for one that stands in place of another', () => {
    expect(small.draft([1, 2, 3, 4, 5, 6, 9, 1, 2, 3, 77], 2)).toEqual([5, 6])
    // the replaced token is the last one before the copy begins anew
    expect(small.draft([1, 2, 3, 4, 1, 2, 3, 77], 2)).toEqual([1, 2])
  })

  test('two tokens before a new one are not enough to call it a replacement', () => {
    expect(small.draft([1, 2, 4, 5, 6, 9, 1, 2, 77], 2)).toEqual([])
  })

  test.each([[[]], [[1]], [[1, 1]], [[1, 2, 3]], [[2, 3, 1, 3]]])('has no guess after %j', ids => {
    expect(small.draft(ids, 4)).toEqual([])
  })

  test('gives as many as asked for, or none, as a search without haste would', () => {
    const sequences = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 40 })
    const sizes = fc.integer({ min: 1, max: 6 })
    fc.assert(
      fc.property(sequences, sizes, sizes, sizes, (ids, minNgram, extra, maxTokens) => {
        const options = { minNgram, maxNgram: minNgram + extra }
        expect(new PromptLookup(options).draft(ids, maxTokens)).toEqual(plainDraft(ids, options, maxTokens))
      }),
    )
  })
})

interface Sizes {
  readonly minNgram: number
  readonly maxNgram: number
}

/** The rule word by word: as the tokens are, or else as if the last one had stayed what it was. */
function plainDraft(ids: readonly number[], sizes: Sizes, maxTokens: number): readonly number[] {
  const start = plainPlace(ids, sizes) ?? plainReplaced(ids, sizes)
  if (start === undefined || start >= ids.length) return []
  const draft = [...ids]
  for (let i = 0; i < maxTokens; i++) draft.push(draft[start + i]!)
  return draft.slice(ids.length)
}

function plainReplaced(ids: readonly number[], { minNgram, maxNgram }: Sizes): number | undefined {
  const longer = { minNgram: minNgram + 1, maxNgram: Math.max(minNgram + 1, maxNgram) }
  const place = plainPlace(ids.slice(0, -1), longer)
  return place === undefined ? undefined : place + 1
}

/** Place behind the longest n-gram that came before, in it the last place. */
function plainPlace(ids: readonly number[], { minNgram, maxNgram }: Sizes): number | undefined {
  for (let size = maxNgram; size >= minNgram; size--) {
    for (let end = ids.length - 1; end >= size && ids.length >= size; end--) {
      if (String(ids.slice(end - size, end)) === String(ids.slice(-size))) return end
    }
  }
  return undefined
}

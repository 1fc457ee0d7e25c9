import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DraftBudget } from '../../src/generation/draft-budget.js'

test('guesses grow to the limit while they are right, and end while they are wrong', () => {
  const budget = new DraftBudget(16)
  expect(budget.draftTokens).toBe(2)
  for (let i = 0; i < 12; i++) budget.onDraft(budget.draftTokens, 0)
  expect(budget.draftTokens).toBe(16)
  for (let i = 0; i < 5; i++) budget.onDraft(0, budget.draftTokens)
  expect(budget.draftTokens).toBe(0)
})

test('after a long dry spell a short guess is tried again', () => {
  const budget = new DraftBudget(16)
  for (let i = 0; i < 10; i++) budget.onDraft(0, budget.draftTokens)
  expect(budget.draftTokens).toBe(0)
  for (let i = 0; i < 60; i++) budget.onToken()
  expect(budget.draftTokens).toBe(2)
})

test('a draft is about as long as guesses were right in a row', () => {
  const lengthWhenRight = (inARow: number) => {
    const budget = new DraftBudget(16)
    for (let i = 0; i < 60; i++) {
      const length = budget.draftTokens
      budget.onToken()
      if (length > 0) budget.onDraft(Math.min(length, inARow), Math.max(0, length - inARow))
    }
    return budget.draftTokens
  }
  expect(lengthWhenRight(0)).toBeLessThanOrEqual(1)
  expect(lengthWhenRight(1)).toBeLessThanOrEqual(2)
  expect(lengthWhenRight(4)).toBeGreaterThanOrEqual(3)
  expect(lengthWhenRight(4)).toBeLessThanOrEqual(6)
  expect(lengthWhenRight(100)).toBe(16)
})

test('wrong guesses beyond the right ones stay within 4 and a twentieth of the tokens', () => {
  const runs = fc.array(fc.nat({ max: 16 }), { maxLength: 300 })
  fc.assert(
    fc.property(runs, fc.integer({ min: 1, max: 64 }), (accepts, maxDraftTokens) => {
      const budget = new DraftBudget(maxDraftTokens)
      let [tokens, accepted, rejected] = [0, 0, 0]
      for (const wanted of accepts) {
        budget.onToken()
        const length = budget.draftTokens
        const right = Math.min(wanted, length)
        budget.onDraft(right, length - right)
        tokens += 1 + right
        accepted += right
        rejected += length - right
        expect(budget.draftTokens).toBeLessThanOrEqual(maxDraftTokens)
        expect(rejected).toBeLessThanOrEqual(4 + accepted + 0.05 * tokens)
      }
    }),
  )
})

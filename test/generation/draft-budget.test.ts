import fc from 'fast-check'
import { expect, test } from 'vitest'
import { DraftBudget } from '../../src/generation/draft-budget.js'

test('guesses grow to the limit while they are right, and end while they are wrong', () => {
  const budget = new DraftBudget(16)
  expect(budget.draftTokens).toBe(4)
  for (let i = 0; i < 5; i++) budget.onDraft(budget.draftTokens, 0)
  expect(budget.draftTokens).toBe(16)
  for (let i = 0; i < 5; i++) budget.onDraft(0, budget.draftTokens)
  expect(budget.draftTokens).toBe(0)
})

test('after a long dry spell one guess is tried again', () => {
  const budget = new DraftBudget(16)
  budget.onDraft(0, 4)
  for (let i = 0; i < 19; i++) budget.onToken()
  expect(budget.draftTokens).toBe(0)
  budget.onToken()
  budget.onToken()
  expect(budget.draftTokens).toBe(1)
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

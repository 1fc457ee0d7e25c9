import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chosenLogprob } from '../../src/generation/logprobs.js'

const logitsOf = fc
  .array(fc.float({ min: -50, max: 50, noNaN: true }), { minLength: 1, maxLength: 60 })
  .map(values => Float32Array.from(values))

describe('log-probabilities', () => {
  test('are those of softmax: together they are 1', () => {
    fc.assert(
      fc.property(logitsOf, logits => {
        const { top } = chosenLogprob(logits, 0, logits.length)
        expect(top.reduce((sum, { logprob }) => sum + Math.exp(logprob), 0)).toBeCloseTo(1, 9)
        for (const { id, logprob } of top) {
          expect(logprob - top[0]!.logprob).toBeCloseTo(logits[id]! - logits[top[0]!.id]!, 9)
        }
      }),
    )
  })

  test('come with the likeliest tokens, of equal ones the lower id first', () => {
    fc.assert(
      fc.property(logitsOf, fc.nat(20), fc.nat(), (logits, numTop, choice) => {
        const id = choice % logits.length
        const sorted = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b)
        const chosen = chosenLogprob(logits, id, numTop)
        expect(chosen.top.map(entry => entry.id)).toEqual(sorted.slice(0, numTop))
        const inTop = chosen.top.find(entry => entry.id === id)
        if (inTop) expect(inTop.logprob).toBe(chosen.logprob)
      }),
    )
  })

  test('stay finite for logits far apart', () => {
    const { logprob, top } = chosenLogprob(Float32Array.of(-3e38, 3e38), 0, 1)
    expect(Number.isFinite(logprob)).toBe(true)
    expect(top).toEqual([{ id: 1, logprob: 0 }])
  })
})

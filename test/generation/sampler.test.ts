import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRandom, type Random } from '../../src/core/random.js'
import { createSampler } from '../../src/generation/sampler.js'
import type { SamplingOptions } from '../../src/generation/sampling-options.js'

const NO_RANDOM: Random = {
  next() {
    throw new Error('a greedy sampler drew a random number')
  },
}

function sampler(options: SamplingOptions, random: Random = NO_RANDOM, stopTokenIds: number[] = []) {
  return createSampler(options, { random, stopTokenIds })
}

function fixed(value: number): Random {
  return { next: () => value }
}

describe('sampler', () => {
  test('takes the first of the largest logits at temperature 0, with no random number', () => {
    const logits = Float32Array.of(1, 5, 5, 2)
    expect(sampler({}).sample(logits, [])).toBe(1)
    expect(sampler({ temperature: 0, topK: 3, topP: 0.9 }).sample(logits, [])).toBe(1)
  })

  test('takes the largest wherever it lies', () => {
    const rows = fc.float32Array({ noNaN: true, noDefaultInfinity: true, minLength: 1, maxLength: 30 })
    fc.assert(
      fc.property(rows, logits => {
        expect(sampler({}).sample(logits, [])).toBe(logits.indexOf(Math.max(...logits)))
      }),
    )
  })

  test('leaves the logits unchanged', () => {
    const logits = Float32Array.of(1, 2, 3)
    sampler({ temperature: 0.5, topK: 2, topP: 0.5, repetitionPenalty: 2 }, createRandom(1)).sample(
      logits,
      [2],
    )
    expect(logits).toEqual(Float32Array.of(1, 2, 3))
  })

  test('applies penalties at temperature 0 too', () => {
    const logits = Float32Array.of(1, 2, 3)
    expect(sampler({ repetitionPenalty: 2 }).sample(logits, [2])).toBe(1)
    expect(sampler({ noRepeatNgram: 1 }).sample(logits, [2, 1])).toBe(0)
    expect(sampler({ minTokens: 1 }, NO_RANDOM, [2]).sample(logits, [])).toBe(1)
    expect(sampler({ frequencyPenalty: 0.6 }).sample(logits, [2, 2])).toBe(1)
    expect(sampler({ presencePenalty: 1.5 }).sample(logits, [2])).toBe(1)
    expect(sampler({ logitBias: { 0: 5 } }).sample(logits, [])).toBe(0)
  })

  test.each([
    [0, 0],
    [0.0999, 0],
    [0.1001, 1],
    [0.2999, 1],
    [0.3001, 2],
    [1 - 2 ** -53, 2],
  ])('the uniform number %f falls on token %i of probabilities 0.1, 0.2, 0.7', (value, id) => {
    const logits = Float32Array.of(Math.log(0.1), Math.log(0.2), Math.log(0.7))
    expect(sampler({ temperature: 1 }, fixed(value)).sample(logits, [])).toBe(id)
  })

  test('draws tokens as often as softmax says', () => {
    const logits = Float32Array.of(0, 1, 2, -3)
    const temperature = 0.8
    const weights = Array.from(logits, logit => Math.exp(logit / temperature))
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    const draws = sampler({ temperature }, createRandom(7))
    const counts = [0, 0, 0, 0]
    const numDraws = 20_000
    for (let i = 0; i < numDraws; i++) counts[draws.sample(logits, [])]!++
    for (const [id, weight] of weights.entries()) {
      const probability = weight / total
      const deviation = Math.sqrt(numDraws * probability * (1 - probability))
      expect(Math.abs(counts[id]! - numDraws * probability)).toBeLessThan(4 * deviation + 1)
    }
  })

  test('never draws what the filters ruled out', () => {
    const row = fc.array(fc.float({ min: -20, max: 20, noNaN: true }), { minLength: 5, maxLength: 60 })
    fc.assert(
      fc.property(row, fc.nat(), (values, seed) => {
        const logits = Float32Array.from(values)
        const id = sampler({ temperature: 1.3, topK: 3 }, createRandom(seed)).sample(logits, [])
        expect(values.filter(value => value > logits[id]!).length).toBeLessThan(3)
      }),
    )
  })

  test.each([[Number.NaN], [Number.POSITIVE_INFINITY], [Number.NEGATIVE_INFINITY]])(
    'refuses a logit of %f',
    bad => {
      for (const options of [{}, { temperature: 1 }]) {
        const sample = () => sampler(options, createRandom(1)).sample(Float32Array.of(0, bad, 1), [])
        expect(sample).toThrowError(expect.objectContaining({ code: 'NUMERIC' }))
        expect(sample).toThrowError(/value 1 of 3/)
      }
    },
  )

  test('applies its rules in the documented order', () => {
    // the bias comes before the repetition penalty, which divides what the bias made positive
    const biased = sampler({ logitBias: { 1: 4 }, repetitionPenalty: 2 })
    expect(biased.sample(Float32Array.of(2.6, 1), [1])).toBe(0)
    expect(biased.sample(Float32Array.of(2.4, 1), [1])).toBe(1)
    // the repetition penalty comes before OpenAI's: (4 / 2) - 1 = 1, not (4 - 1) / 2 = 1.5
    const penalised = sampler({ repetitionPenalty: 2, presencePenalty: 1 })
    expect(penalised.sample(Float32Array.of(1.2, 4), [1])).toBe(0)
    // minTokens wins over a bias that forces the stop token
    expect(
      sampler({ logitBias: { 1: 100 }, minTokens: 1 }, NO_RANDOM, [1]).sample(Float32Array.of(0, 0), []),
    ).toBe(0)
    // minP comes after the temperature: at 0.5 the second token has e^-2 = 0.14 of the first, at 1 it has e^-1 = 0.37
    const logits = Float32Array.of(1, 0)
    expect(sampler({ temperature: 1, minP: 0.3 }, fixed(0.99)).sample(logits, [])).toBe(1)
    expect(sampler({ temperature: 0.5, minP: 0.3 }, fixed(0.99)).sample(logits, [])).toBe(0)
  })

  test('says so when every token is ruled out', () => {
    for (const options of [{ noRepeatNgram: 1 }, { noRepeatNgram: 1, temperature: 1 }]) {
      const sample = () => sampler(options, createRandom(1)).sample(Float32Array.of(0, 1), [0, 1])
      expect(sample).toThrowError(expect.objectContaining({ code: 'NUMERIC' }))
    }
  })
})

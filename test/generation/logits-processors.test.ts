import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addLogitBias,
  applyCountPenalties,
  applyMinTokens,
  applyRepetitionPenalty,
  applyTemperature,
  banRepeatedNgrams,
  keepMinP,
  keepTopK,
  keepTopP,
} from '../../src/generation/logits-processors.js'

interface Golden {
  readonly history: readonly number[]
  readonly inputs: readonly (readonly number[])[]
  readonly cases: readonly {
    readonly name: string
    readonly args: Readonly<Record<string, number>>
    readonly input: number
    readonly output: readonly (number | null)[]
  }[]
}

const golden: Golden = JSON.parse(
  readFileSync(new URL('../golden/generation/logits-processors.json', import.meta.url), 'utf8'),
)

type Processor = (
  logits: Float32Array,
  args: Readonly<Record<string, number>>,
  history: readonly number[],
) => void

const PROCESSORS: Readonly<Record<string, Processor>> = {
  temperature: (logits, args) => applyTemperature(logits, args.temperature!),
  top_k: (logits, args) => keepTopK(logits, args.top_k!),
  top_p: (logits, args) => keepTopP(logits, args.top_p!),
  repetition_penalty: (logits, args, history) => applyRepetitionPenalty(logits, history, args.penalty!),
  no_repeat_ngram_size: (logits, args, history) => banRepeatedNgrams(logits, history, args.n!),
  min_length: (logits, args, history) =>
    applyMinTokens(logits, history, args.min_length!, [args.eos_token_id!]),
}

describe('logits processors', () => {
  test('the golden file covers every processor and chains', () => {
    const names = new Set(golden.cases.flatMap(({ name }) => name.split('>')))
    expect([...names].sort()).toEqual(Object.keys(PROCESSORS).sort())
    expect(golden.cases).toHaveLength(20)
  })

  test.each(
    golden.cases.map(
      ({ name, args, ...rest }) => [`${name} ${JSON.stringify(args)}`, name, args, rest] as const,
    ),
  )('equal transformers bit for bit: %s', (_, name, args, { input, output }) => {
    const logits = Float32Array.from(golden.inputs[input]!)
    for (const step of name.split('>')) PROCESSORS[step]!(logits, args, golden.history)
    expect(logits).toEqual(Float32Array.from(output, value => value ?? -Infinity))
  })

  const logitsOf = fc
    .array(fc.float({ min: -30, max: 30, noNaN: true }), { minLength: 1, maxLength: 300 })
    .map(values => Float32Array.from(values))

  test('top-k keeps what a full sort would keep', () => {
    fc.assert(
      fc.property(logitsOf, fc.integer({ min: 1, max: 310 }), (logits, topK) => {
        const threshold = [...logits].sort((a, b) => b - a)[Math.min(topK, logits.length) - 1]!
        const expected = logits.map(value => (value < threshold ? -Infinity : value))
        keepTopK(logits, topK)
        expect(logits).toEqual(expected)
      }),
    )
  })

  test('top-p keeps the smallest set of the most likely tokens that has the mass', () => {
    const topPs = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(logitsOf, topPs, (logits, topP) => {
        const weights = Array.from(logits, value => Math.exp(value - Math.max(...logits)))
        const total = weights.reduce((sum, weight) => sum + weight, 0)
        keepTopP(logits, topP)
        const kept = [...logits.keys()].filter(id => logits[id] !== -Infinity)
        const mass = kept.reduce((sum, id) => sum + weights[id]!, 0)
        const lightest = Math.min(...kept.map(id => weights[id]!))
        expect(kept.length).toBeGreaterThan(0)
        expect(mass / total).toBeGreaterThanOrEqual(topP - 1e-9)
        if (kept.length > 1) expect((mass - lightest) / total).toBeLessThan(topP + 1e-9)
        for (const [id, weight] of weights.entries()) {
          if (!kept.includes(id)) expect(weight).toBeLessThanOrEqual(lightest)
        }
      }),
    )
  })

  test('top-p of 0 keeps the first of the most likely tokens', () => {
    const logits = Float32Array.of(1, 3, 3, 2)
    keepTopP(logits, 0)
    expect(logits).toEqual(Float32Array.of(-Infinity, 3, -Infinity, -Infinity))
  })

  test('n-grams are not banned before there are n - 1 tokens', () => {
    const logits = Float32Array.of(0, 0, 0)
    banRepeatedNgrams(logits, [], 2)
    banRepeatedNgrams(logits, [1], 3)
    expect(logits).toEqual(Float32Array.of(0, 0, 0))
  })

  test('stop tokens are allowed once there are enough tokens', () => {
    const logits = Float32Array.of(0, 0, 0)
    applyMinTokens(logits, [1, 1], 3, [2])
    expect(logits[2]).toBe(-Infinity)
    const later = Float32Array.of(0, 0, 0)
    applyMinTokens(later, [1, 1, 1], 3, [2])
    expect(later[2]).toBe(0)
  })

  test('min-p keeps what has the given part of the best token’s probability', () => {
    const minPs = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(logitsOf, minPs, (logits, minP) => {
        const max = Math.max(...logits)
        const expected = logits.map(value => (Math.exp(value - max) < minP ? -Infinity : value))
        keepMinP(logits, minP)
        expect(logits).toEqual(expected)
        expect(Math.max(...logits)).toBe(max)
      }),
    )
  })

  test('OpenAI’s penalties count the tokens of the answer', () => {
    const logits = Float32Array.of(1, 1, 1, 1)
    applyCountPenalties(logits, [2, 0, 2, 2], { frequencyPenalty: 0.5, presencePenalty: 0.25 })
    expect(logits).toEqual(Float32Array.of(0.25, 1, -0.75, 1))
    applyCountPenalties(logits, [1], { frequencyPenalty: 0, presencePenalty: -1 })
    expect(logits[1]).toBe(2)
  })

  test('a logit bias is added to the tokens it names', () => {
    const logits = Float32Array.of(1, 2, 3)
    addLogitBias(logits, { 0: 5, 2: -100 })
    expect(logits).toEqual(Float32Array.of(6, 2, -97))
    expect(() => addLogitBias(logits, { 3: 1 })).toThrowError(
      expect.objectContaining({ code: 'INVALID_OPTION', message: 'logitBias: token id 3; expected 0 to 2' }),
    )
  })
})

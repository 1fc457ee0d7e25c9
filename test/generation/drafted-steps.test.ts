import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRandom } from '../../src/core/random.js'
import { DraftedSteps, type DraftOptions } from '../../src/generation/drafted-steps.js'
import { type DraftSource, PromptLookup } from '../../src/generation/prompt-lookup.js'
import { createSampler } from '../../src/generation/sampler.js'
import type { SamplingOptions } from '../../src/generation/sampling-options.js'
import {
  type GeneratedToken,
  generateTokens,
  type TokenLoopOptions,
  type TokenSteps,
} from '../../src/generation/token-loop.js'
import { FakeDecoderState } from './fake-decoder-state.js'

const VOCAB_SIZE = 8
const STOP_ID = 7
const PROMPT = [1, 2, 3]

/** Logits that depend on all tokens, so that a token too many or too few shows. */
function mixed(seed: number) {
  return (ids: readonly number[]) => {
    const random = createRandom(ids.reduce((hash, id) => (hash * 31 + id + 1) % 1_000_003, seed))
    const logits = Float32Array.from({ length: VOCAB_SIZE }, () => 3 * random.next())
    logits[STOP_ID] = logits[STOP_ID]! - 1
    return logits
  }
}

/** Says the same over and over: 4 5 6 4 5 6 … */
const repeating = (ids: { readonly length: number }) => 4 + (ids.length % 3)

/** Guesses by a rule of its own. */
function source(draft: DraftSource['draft']): DraftSource {
  return { draft }
}

async function prefilled(next: (ids: readonly number[]) => number | Float32Array, contextLength: number) {
  const state = new FakeDecoderState({ vocabSize: VOCAB_SIZE, contextLength, next })
  return { state, logits: await state.prefill({ inputIds: PROMPT }) }
}

function drafted(state: FakeDecoderState, options: Partial<DraftOptions> = {}): DraftedSteps {
  return new DraftedSteps(state, PROMPT, {
    source: new PromptLookup(),
    maxDraftTokens: 8,
    maxLength: state.contextLength,
    barredIds: new Set([STOP_ID]),
    ...options,
  })
}

interface Case {
  readonly next: (ids: readonly number[]) => number | Float32Array
  readonly contextLength: number
  readonly maxTokens: number
  readonly sampling: SamplingOptions
  /** The consumer leaves after this many tokens. */
  readonly leaveAfter: number
}

/** Everything that a consumer can see of a generation, and what the state holds after it. */
async function generate(one: Case, wrap: (state: FakeDecoderState) => TokenSteps) {
  const { state, logits } = await prefilled(one.next, one.contextLength)
  const steps = wrap(state)
  const sampler = createSampler(one.sampling, { random: createRandom(5), stopTokenIds: [STOP_ID] })
  const options: TokenLoopOptions = {
    sampler,
    stopTokenIds: [STOP_ID],
    maxTokens: one.maxTokens,
    nextTurn: async () => {},
  }
  const tokens: GeneratedToken[] = []
  for await (const token of generateTokens(steps, logits, options)) {
    tokens.push(token)
    if (tokens.length === one.leaveAfter) break
  }
  if (steps instanceof DraftedSteps) steps.settle()
  return { tokens, ids: state.ids, length: steps.length }
}

const samplings = fc.constantFrom<SamplingOptions>(
  {},
  { repetitionPenalty: 1.3, noRepeatNgram: 3, minTokens: 5 },
  { temperature: 1 },
  { temperature: 0.7, topK: 4, topP: 0.9 },
)

const cases: fc.Arbitrary<Case> = fc.record({
  next: fc.oneof(fc.nat().map(mixed), fc.constant(repeating)),
  contextLength: fc.integer({ min: PROMPT.length, max: 60 }),
  maxTokens: fc.integer({ min: 1, max: 60 }),
  sampling: samplings,
  leaveAfter: fc.integer({ min: 1, max: 80 }),
})

/** A source that guesses anything, of any length, too long included; right now and then. */
const anySource = fc.tuple(fc.nat(), fc.boolean()).map(([seed, knows]) => {
  const random = createRandom(seed)
  const pick = (size: number) => Math.floor(random.next() * size)
  return source((ids, maxTokens) => {
    const length = pick(maxTokens + 3)
    const [wrongFrom, place] = [knows ? pick(8) : 0, ids.length]
    return Array.from({ length }, (_, i) => (i < wrongFrom ? repeating({ length: place + i }) : pick(8)))
  })
})

describe('drafted steps', () => {
  test('give the tokens and the state that plain steps give, whatever is guessed', async () => {
    const limits = fc.integer({ min: 1, max: 12 })
    await fc.assert(
      fc.asyncProperty(cases, anySource, limits, async (one, guesses, maxDraftTokens) => {
        const maxLength = Math.min(one.contextLength, PROMPT.length + one.maxTokens - 1)
        const wrap = (state: FakeDecoderState) =>
          drafted(state, { source: guesses, maxDraftTokens, maxLength })
        expect(await generate(one, wrap)).toEqual(await generate(one, state => state))
      }),
      { numRuns: 300 },
    )
  })

  test('compute right guesses along with the token before them', async () => {
    let runs = 0
    const work = async () => {
      runs++
    }
    const state = new FakeDecoderState({ vocabSize: VOCAB_SIZE, contextLength: 200, next: repeating, work })
    await state.prefill({ inputIds: PROMPT })
    const steps = drafted(state)
    runs = 0
    const one = [4, 5, 6]
    for (let i = 0; i < 60; i++) await steps.step(one[i % 3]!)
    expect(steps.length).toBe(PROMPT.length + 60)
    expect(runs).toBeLessThan(20)
    expect(runs + steps.counts.acceptedDraftTokens).toBe(60)
    expect(steps.counts.draftTokens).toBeGreaterThanOrEqual(steps.counts.acceptedDraftTokens)
  })

  test('guess ever less where no guess is right', async () => {
    const { state } = await prefilled(repeating, 1000)
    const steps = drafted(state, { source: source((_, maxTokens) => new Array(maxTokens).fill(0)) })
    for (let i = 0; i < 400; i++) await steps.step(4 + (i % 3))
    expect(steps.counts.acceptedDraftTokens).toBe(0)
    expect(steps.counts.draftTokens).toBeLessThanOrEqual(4 + 0.05 * 400)
  })

  test('do not guess beyond the length that is wanted, nor past a barred token', async () => {
    const { state } = await prefilled(repeating, 100)
    const asked: number[] = []
    const guesses = source((_, maxTokens) => {
      asked.push(maxTokens)
      return [5, STOP_ID, 6]
    })
    const steps = drafted(state, { source: guesses, maxLength: PROMPT.length + 3 })
    await steps.step(4)
    expect(state.ids).toEqual([...PROMPT, 4, 5])
    await steps.step(5)
    await steps.step(6)
    expect(asked).toEqual([2])
    expect(state.ids).toEqual([...PROMPT, 4, 5, 6])
  })

  test('run a barred token alone: it can be generated, but not be fed by its id among others', async () => {
    const { state } = await prefilled(repeating, 100)
    const steps = drafted(state, { source: source(() => [5, 6]) })
    await steps.step(STOP_ID)
    expect(state.ids).toEqual([...PROMPT, STOP_ID])
    expect(steps.counts.draftTokens).toBe(0)
  })

  test('can be taken back at any time', async () => {
    const { state } = await prefilled(repeating, 100)
    const steps = drafted(state, { source: source(() => [5, 6, 4]) })
    await steps.step(4)
    await steps.step(5)
    expect(state.length).toBeGreaterThan(steps.length)
    steps.settle()
    expect(state.ids).toEqual([...PROMPT, 4, 5])
    await steps.step(1)
    expect(state.ids.slice(0, 6)).toEqual([...PROMPT, 4, 5, 1])
  })

  test('an abort during a run ends with what was taken', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    let runs = 0
    const work = async () => {
      if (++runs === 4) controller.abort(reason)
    }
    const state = new FakeDecoderState({ vocabSize: VOCAB_SIZE, contextLength: 100, next: repeating, work })
    const logits = await state.prefill({ inputIds: PROMPT })
    const steps = drafted(state)
    const seen: number[] = []
    const sampler = createSampler({}, { random: createRandom(0), stopTokenIds: [] })
    const options = {
      sampler,
      stopTokenIds: [],
      maxTokens: 90,
      nextTurn: async () => {},
      signal: controller.signal,
    }
    const run = async () => {
      for await (const { id } of generateTokens(steps, logits, options)) seen.push(id)
    }
    await expect(run()).rejects.toBe(reason)
    steps.settle()
    expect(state.ids).toEqual([...PROMPT, ...seen])
  })
})

import { describe, expect, test } from 'vitest'
import { createRandom } from '../../src/core/random.js'
import { createSampler } from '../../src/generation/sampler.js'
import {
  type GeneratedToken,
  generateTokens,
  type TokenLoopOptions,
} from '../../src/generation/token-loop.js'
import { FakeDecoderState, oneHot } from './fake-decoder-state.js'

const VOCAB_SIZE = 8

function loop(state: FakeDecoderState, options: Partial<TokenLoopOptions> = {}) {
  const sampler = createSampler({}, { random: createRandom(0), stopTokenIds: [] })
  return generateTokens(state, oneHot(VOCAB_SIZE, 1), {
    sampler,
    stopTokenIds: [7],
    maxTokens: 100,
    nextTurn: () => new Promise(resolve => setImmediate(resolve)),
    ...options,
  })
}

async function collect(tokens: AsyncIterable<GeneratedToken>): Promise<GeneratedToken[]> {
  const list: GeneratedToken[] = []
  for await (const token of tokens) list.push(token)
  return list
}

/** Counts up: after token n comes n + 1. */
function counting(contextLength = 1000): FakeDecoderState {
  return new FakeDecoderState({ vocabSize: VOCAB_SIZE, contextLength, next: ids => ids.at(-1)! + 1 })
}

describe('token loop', () => {
  test('goes on to the stop token, which is the last and is not fed back', async () => {
    const state = counting()
    const tokens = await collect(loop(state))
    expect(tokens.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(tokens.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(tokens.map(({ finishReason }) => finishReason)).toEqual([...Array(6), 'stop'])
    expect(state.ids).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('ends at maxTokens without computing logits that nobody needs', async () => {
    const state = counting()
    const tokens = await collect(loop(state, { maxTokens: 3 }))
    expect(tokens.at(-1)).toEqual({ id: 3, index: 2, finishReason: 'length' })
    expect(state.ids).toEqual([1, 2])
  })

  test('ends when the context is full', async () => {
    const tokens = await collect(loop(counting(2)))
    expect(tokens.map(({ finishReason }) => finishReason)).toEqual([undefined, undefined, 'length'])
  })

  test('takes the last row of logits of all positions', async () => {
    const rows = new Float32Array(2 * VOCAB_SIZE)
    rows[0] = 1
    rows[VOCAB_SIZE + 7] = 1
    const options = { sampler: createSampler({}, { random: createRandom(0), stopTokenIds: [] }) }
    const logits = { data: rows, dims: [2, VOCAB_SIZE] }
    const tokens = generateTokens(counting(), logits, {
      ...options,
      stopTokenIds: [7],
      maxTokens: 9,
      nextTurn: async () => {},
    })
    expect(await collect(tokens)).toEqual([{ id: 7, index: 0, finishReason: 'stop' }])
  })

  test('throws the reason of an abort before the next step', async () => {
    const state = counting()
    const controller = new AbortController()
    const reason = new Error('enough')
    const seen: number[] = []
    const run = async () => {
      for await (const { id } of loop(state, { signal: controller.signal })) {
        seen.push(id)
        if (id === 3) setImmediate(() => controller.abort(reason))
      }
    }
    await expect(run()).rejects.toBe(reason)
    expect(seen).toEqual([1, 2, 3])
    expect(state.ids).toEqual([1, 2])
  })

  test('leaving the loop stops the compute', async () => {
    const state = counting()
    for await (const { id } of loop(state)) if (id === 2) break
    expect(state.ids).toEqual([1])
  })
})

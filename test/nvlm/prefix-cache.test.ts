import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type PlaceKey, PrefixCache } from '../../src/nvlm/prefix-cache.js'
import { FakeDecoderState } from '../generation/fake-decoder-state.js'

/** States of one byte a token, and every one that was made. */
function setUp(maxBytes: number) {
  const states: FakeDecoderState[] = []
  const decoder = {
    open: async ({ contextLength }: { contextLength: number }) => {
      const state = new FakeDecoderState({ vocabSize: 4, contextLength, next: () => 0 })
      states.push(state)
      return state
    },
  }
  const cache = new PrefixCache(decoder, 1000, maxBytes)
  /** Read a sequence as a run would; says how many places were known. */
  const run = async (keys: readonly PlaceKey[]): Promise<number> => {
    const state = (await cache.take(keys)) as FakeDecoderState
    const { length } = state
    expect(state.ids).toEqual(keys.slice(0, length).map(toId))
    await state.prefill({ inputIds: keys.slice(length).map(toId) })
    cache.put(state, keys)
    return length
  }
  return { cache, states, run }
}

/** What the fake state is fed at a place. */
function toId(key: PlaceKey): number {
  return typeof key === 'string' ? -key.length : key
}

describe('a prompt', () => {
  test('that goes on from an earlier one is read from its end', async () => {
    const { run, states } = setUp(100)
    expect(await run([1, 2, 3])).toBe(0)
    expect(await run([1, 2, 3, 4, 5])).toBe(3)
    expect(await run([1, 2, 3, 4, 9])).toBe(4)
    expect(states).toHaveLength(1)
  })

  test('that was read before still has its last place to run', async () => {
    const { run } = setUp(100)
    await run([1, 2, 3])
    expect(await run([1, 2, 3])).toBe(2)
    expect(await run([1, 2])).toBe(1)
  })

  test('with another picture in the same place has only what lies before it', async () => {
    const { run } = setUp(100)
    await run([1, 2, 'cat', 'cat', 3])
    expect(await run([1, 2, 'dog', 'dog', 3])).toBe(2)
    expect(await run([1, 2, 'dog', 'dog', 4])).toBe(4)
  })

  test('goes on from the longest of several', async () => {
    const { run } = setUp(100)
    await run([1, 2, 3, 4, 5, 6])
    await run([7, 8, 9])
    await run([1, 2, 9])
    expect(await run([1, 2, 3, 4, 5, 7])).toBe(5)
    expect(await run([7, 8, 9, 9])).toBe(3)
    expect(await run([1, 2, 9, 9])).toBe(3)
  })
})

describe('memory', () => {
  test('of a sequence that would lose most is not touched: what they share is copied', async () => {
    const { run } = setUp(100)
    await run([1, 2, 3, 4, 5, 6, 7, 8])
    expect(await run([1, 2, 9])).toBe(2)
    expect(await run([1, 2, 3, 4, 5, 6, 7, 8, 9])).toBe(8)
  })

  test('stays within the budget, the least recently used gone first', async () => {
    const { run, states } = setUp(7)
    await run([1, 1, 1])
    await run([2, 2, 2])
    await run([1, 1, 1, 1])
    await run([3, 3, 3])
    expect(states.map(({ isDisposed }) => isDisposed)).toEqual([false, true, false])
    expect(await run([1, 1, 1, 1, 1])).toBe(4)
  })

  test('holds the last sequence even above the budget, until another one begins', async () => {
    const { run, states } = setUp(2)
    await run([1, 2, 3, 4])
    expect(await run([1, 2, 3, 4, 5])).toBe(4)
    expect(await run([9])).toBe(0)
    expect(states.map(({ isDisposed }) => isDisposed)).toEqual([true, false])
  })

  test('is given back at once without a cache, and by dispose', async () => {
    const without = setUp(0)
    await without.run([1, 2])
    expect(await without.run([1, 2, 3])).toBe(0)
    expect(without.states.every(({ isDisposed }) => isDisposed)).toBe(true)
    const { run, cache, states } = setUp(100)
    await run([1])
    await run([2])
    cache.dispose()
    expect(states.map(({ isDisposed }) => isDisposed)).toEqual([true, true])
  })
})

test('a state always holds exactly the places that it is said to hold, whatever came before', async () => {
  const key = fc.constantFrom<PlaceKey>(1, 2, 'x', 'yy')
  const prompts = fc.array(fc.array(key, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(prompts, fc.integer({ min: 0, max: 30 }), async (sequences, maxBytes) => {
      const { run } = setUp(maxBytes)
      // `run` compares what the state was fed with the prompt
      for (const keys of sequences) expect(await run(keys)).toBeLessThan(keys.length)
    }),
  )
})

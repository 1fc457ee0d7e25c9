import { describe, expect, expectTypeOf, test } from 'vitest'
import { NVLMError } from '../../src/core/errors.js'
import { Engine } from '../../src/nvlm/engine.js'
import type { FilterContext, GenerationFilter } from '../../src/nvlm/filters.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { FakeStages, type FakeStagesOptions, nextTurn } from './fake-stages.js'

function load(filters: readonly GenerationFilter[], options: FakeStagesOptions = {}) {
  const stages = new FakeStages({ work: nextTurn, answer: prompt => prompt.slice(2), ...options })
  return { stages, nvlm: new NVLM(new Engine(stages, { nextTurn }), { filters }) }
}

/** Writes text in capitals, keeping a log of what it saw. */
function shouting(seen: string[] = []): GenerationFilter {
  return {
    async *output(deltas) {
      for await (const delta of deltas) {
        seen.push(delta)
        yield delta.toUpperCase()
      }
    },
  }
}

/** Ends the answer before a word. */
function endingBefore(word: string): GenerationFilter {
  return {
    async *output(deltas) {
      let text = ''
      for await (const delta of deltas) {
        text += delta
        if (text.includes(word)) return
        if (!word.startsWith(text.slice(-1))) yield delta
      }
    },
  }
}

describe('an input filter', () => {
  test('sees the conversation and can change it', async () => {
    const seen: unknown[] = []
    const { nvlm } = load([
      {
        input(messages, { modelId }) {
          seen.push(modelId, messages)
        },
      },
      { input: async messages => messages.map(message => ({ ...message, content: 'b' }) as never) },
    ])
    expect(await nvlm.generate('a', { filters: [{ input: ([first]) => [first!, first!] }] }).text()).toBe(
      'bu:b',
    )
    expect(seen).toEqual(['fake-model', [{ role: 'user', content: 'a' }]])
    expect((await nvlm.countTokens({ prompt: 'long' })).promptTokens).toBe(3)
  })

  test('can refuse a request, which then never reaches the model', async () => {
    const { nvlm, stages } = load([{ name: 'policy', input: (_, { refuse }) => refuse('not about this') }])
    const error = await nvlm.generate('a').catch(reason => reason)
    expect(error).toBeInstanceOf(NVLMError)
    expect(error).toMatchObject({ code: 'FILTERED', message: 'filter "policy": not about this' })
    expect(stages.log).toEqual([])
  })

  test('that gives no messages is told so, and one that throws ends the generation with its error', async () => {
    const wrong = load([{ name: 'bad', input: () => [{ role: 'robot' }] as never }])
    await expect(wrong.nvlm.generate('a')).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringMatching(/^filter bad: option "messages.0.role"/),
    })
    const bug = new TypeError('a bug')
    await expect(load([{ input: () => Promise.reject(bug) }]).nvlm.generate('a')).rejects.toBe(bug)
  })

  test('does not hold up an abort', async () => {
    const { nvlm, stages } = load([{ input: () => new Promise(() => {}) }])
    const reply = nvlm.generate('a')
    setImmediate(() => reply.abort('enough'))
    await expect(reply).rejects.toBe('enough')
    expect(reply.partial).toMatchObject({ text: '', finishReason: 'aborted' })
    expect(stages.log).toEqual([])
  })
})

describe('an output filter', () => {
  test('sees and changes the text everywhere it can be read', async () => {
    const seen: string[] = []
    const { nvlm } = load([shouting(seen)])
    const reply = nvlm.generate('hello')
    const events: string[] = []
    reply.on('text', delta => events.push(delta)).on('token', ({ text }) => events.push(text))
    let text = ''
    for await (const delta of reply) text += delta
    const result = await reply
    expect([text, result.text, events.join('')]).toEqual(['HELLO', 'HELLO', 'HELLO'])
    expect(seen.join('')).toBe('hello')
    expect(result).toMatchObject({ finishReason: 'stop', usage: { completionTokens: 6 } })
  })

  test('of a list gets what the one before it gives', async () => {
    const { nvlm } = load([shouting()])
    const swap: GenerationFilter = {
      async *output(deltas) {
        for await (const delta of deltas) yield delta.replaceAll('A', 'x').replaceAll('b', 'y')
      },
    }
    expect(await nvlm.generate('ab', { filters: [swap] }).text()).toBe('xB')
  })

  test('that returns early ends the answer and the compute', async () => {
    const { nvlm, stages } = load([endingBefore('c')], { answer: () => `abc${'d'.repeat(500)}` })
    const result = await nvlm.generate('')
    expect(result).toMatchObject({ text: 'ab', finishReason: 'content-filter' })
    expect(result.usage.completionTokens).toBeLessThan(10)
    expect(stages.states[0]?.length).toBeLessThan(20)
    // also behind a filter that holds everything back until the end
    const holding: GenerationFilter = {
      async *output(deltas) {
        let text = ''
        for await (const delta of deltas) text += delta
        yield text
      },
    }
    const held = load([holding, endingBefore('c')], { answer: () => 'abcd' })
    expect((await held.nvlm.generate('')).finishReason).toBe('content-filter')
  })

  test('that throws or refuses fails the generation, whose text so far can still be read', async () => {
    const refusing: GenerationFilter = {
      async *output(deltas, { refuse }) {
        for await (const delta of deltas) {
          if (delta.includes('c')) refuse('enough')
          yield delta
        }
      },
    }
    const { nvlm, stages } = load([refusing], { answer: () => `abc${'d'.repeat(500)}` })
    const reply = nvlm.generate('')
    let text = ''
    const reading = async () => {
      for await (const delta of reply) text += delta
    }
    await expect(reading()).rejects.toMatchObject({ code: 'FILTERED', message: 'a filter: enough' })
    expect(text).toBe('ab')
    expect(stages.states[0]?.length).toBeLessThan(20)
    expect((await nvlm.generate('', { maxTokens: 1 })).text).toBe('a')
  })

  test('that is slow or stuck does not hold up an abort', async () => {
    const stuck: GenerationFilter = {
      async *output(deltas) {
        for await (const delta of deltas) {
          yield delta
          await new Promise(() => {})
        }
      },
    }
    const { nvlm } = load([stuck], { answer: () => 'a'.repeat(100) })
    const reply = nvlm.generate('')
    reply.on('token', ({ index }) => index === 10 && reply.abort('enough'))
    await expect(reply).rejects.toBe('enough')
    expect(reply.partial).toMatchObject({ text: 'a', finishReason: 'aborted' })
  })

  test('and log-probabilities, which spell out what it hides, exclude each other', () => {
    const { nvlm } = load([shouting()])
    expect(() => nvlm.generate('a', { logprobs: true })).toThrowError(/"logprobs" and a filter/)
  })

  test('may be a class', async () => {
    class Prefix implements GenerationFilter {
      constructor(private readonly prefix: string) {}
      async *output(deltas: AsyncIterable<string>, context: FilterContext) {
        expectTypeOf(context.refuse).returns.toBeNever()
        yield this.prefix
        yield* deltas
      }
    }
    expect(
      await load([])
        .nvlm.generate('a', { filters: [new Prefix('> ')] })
        .text(),
    ).toBe('> a')
  })
})

test.each([[5], [[{}]], [[{ input: 5 }]], [[{ name: 5, input() {} }]]])(
  'wrong filters are refused: %j',
  filters => {
    expect(() => load([]).nvlm.generate('a', { filters } as never)).toThrowError(/option "filters/)
  },
)

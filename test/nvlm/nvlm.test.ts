import { describe, expect, test } from 'vitest'
import { NVLMError } from '../../src/core/errors.js'
import { Engine } from '../../src/nvlm/engine.js'
import { type EngineRuntime, loadEngine } from '../../src/nvlm/load-engine.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { FakeStages, type FakeStagesOptions, nextTurn } from './fake-stages.js'

function setUp(options: FakeStagesOptions = {}) {
  const stages = new FakeStages({ work: nextTurn, ...options })
  return { stages, nvlm: new NVLM(new Engine(stages, { nextTurn, prefixCache: false })) }
}

describe('NVLM', () => {
  test('answers a question in its short forms and its long form', async () => {
    const { nvlm } = setUp({ answer: prompt => prompt.slice(0, 12) })
    expect((await nvlm.generate('hi')).text).toBe('u:hi')
    expect((await nvlm.generate('hi', { system: 'be', images: ['1'] })).text).toBe('s:beu:\x01\x01hi')
    expect((await nvlm.generate({ prompt: 'yo', maxTokens: 3 })).text).toBe('u:y')
    expect(await nvlm.generate({ messages: [{ role: 'user', content: 'long' }] }).text()).toBe('u:long')
    expect(nvlm.info.id).toBe('fake-model')
  })

  test('throws wrong options where they are given', () => {
    const { nvlm } = setUp()
    expect(() => nvlm.generate({ prompt: 'x', foo: 1 } as never)).toThrowError(/unknown option "foo"/)
    expect(() => nvlm.generate('x', { messages: [{ role: 'user', content: 'y' }] } as never)).toThrowError(
      /exclude each other/,
    )
    expect(() => nvlm.generate({})).toThrowError(NVLMError)
  })

  test('stops the compute when the loop over an answer is left', async () => {
    const { nvlm, stages } = setUp({ answer: () => 'a'.repeat(200) })
    const reply = nvlm.generate('x')
    let numPieces = 0
    for await (const _ of reply) if (++numPieces === 5) break
    expect(stages.states[0]).toMatchObject({ isDisposed: true })
    expect(stages.states[0]?.length).toBeLessThan(12)
    expect((await reply).usage.completionTokens).toBeLessThan(10)
    expect((await nvlm.generate('x', { maxTokens: 2 })).text).toBe('aa')
  })

  test('stops the compute when the signal says so', async () => {
    const { nvlm, stages } = setUp({ answer: () => 'a'.repeat(200) })
    const controller = new AbortController()
    const reply = nvlm.generate('x', { signal: controller.signal })
    reply.on('token', ({ index }) => index === 4 && controller.abort('bye'))
    await expect(reply).rejects.toBe('bye')
    expect(stages.states[0]).toMatchObject({ isDisposed: true, length: 7 })
    expect(reply.partial).toMatchObject({ text: 'aaaaa', finishReason: 'aborted' })
  })

  test('counts the tokens of a prompt', async () => {
    const { nvlm } = setUp()
    expect(await nvlm.countTokens({ prompt: 'hi', images: ['1*3', '2'] })).toEqual({
      promptTokens: 12,
      imageTokens: 8,
      cachedTokens: 0,
      completionTokens: 0,
      draftTokens: 0,
      acceptedDraftTokens: 0,
      totalTokens: 12,
    })
    await expect(nvlm.countTokens({})).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  test('disposed twice ends its runs once, and refuses what comes later', async () => {
    const { nvlm, stages } = setUp({ answer: () => 'a'.repeat(500) })
    const running = nvlm.generate('1')
    const waiting = nvlm.generate('2')
    const tokens = running[Symbol.asyncIterator]()
    await tokens.next()
    expect(nvlm.disposed).toBe(false)
    await Promise.all([nvlm.dispose(), nvlm.dispose(), nvlm[Symbol.asyncDispose]()])
    expect(nvlm.disposed).toBe(true)
    await expect(running).rejects.toMatchObject({ code: 'DISPOSED' })
    await expect(waiting).rejects.toMatchObject({ code: 'DISPOSED' })
    expect(running.partial?.text).toMatch(/^a+$/)
    expect(stages.log.filter(line => line === 'dispose')).toHaveLength(1)
    expect(() => nvlm.generate('x')).toThrowError(expect.objectContaining({ code: 'DISPOSED' }))
    await expect(nvlm.countTokens({ prompt: '' })).rejects.toMatchObject({ code: 'DISPOSED' })
  })
})

describe('loading an engine', () => {
  /** Says what it was asked to load. */
  function runtime(calls: unknown[]): EngineRuntime {
    return {
      nextTurn,
      loadStages: async (folder, options) => {
        calls.push(['stages', folder, options])
        return new FakeStages()
      },
      startWorker: async (folder, settings, hooks) => {
        calls.push(['worker', folder, settings, hooks])
        return new Engine(new FakeStages(), { nextTurn })
      },
    }
  }

  test('starts a worker with the settings that can cross threads', async () => {
    const calls: unknown[] = []
    const onProgress = () => {}
    await loadEngine('there', { dtype: 'fp32', numThreads: 1, concurrency: 2, onProgress }, runtime(calls))
    expect(calls).toEqual([
      [
        'worker',
        'there',
        { dtype: { vision: 'fp32', projector: 'fp32', decoder: 'fp32' }, numThreads: 1, concurrency: 2 },
        { onProgress, signal: undefined },
      ],
    ])
  })

  test('stays in this thread when asked to, or with a backend', async () => {
    const calls: unknown[] = []
    const backend = { name: 'mine', devices: ['cpu' as const], createSession: async () => ({}) as never }
    await loadEngine('there', { worker: false, concurrency: 3, contextLength: 9 }, runtime(calls))
    await loadEngine('there', { backend }, runtime(calls))
    expect(calls).toEqual([
      ['stages', 'there', { contextLength: 9 }],
      ['stages', 'there', { backend }],
    ])
  })

  test('does not begin when the signal has aborted', async () => {
    const calls: unknown[] = []
    const signal = AbortSignal.abort('no')
    await expect(loadEngine('there', { signal }, runtime(calls))).rejects.toBe('no')
    expect(calls).toEqual([])
  })
})

import { describe, expect, test } from 'vitest'
import { NVLMError } from '../../src/core/errors.js'
import { Engine } from '../../src/nvlm/engine.js'
import type { EngineEvent, GenerateResult } from '../../src/nvlm/engine-client.js'
import { type GenerateOptions, parseGenerateOptions } from '../../src/nvlm/generate-options.js'
import { epochNow } from '../../src/nvlm/run-clock.js'
import { FakeStages, type FakeStagesOptions, nextTurn, STOP_ID } from './fake-stages.js'

/** Without a prefix cache, so that one can see how states are freed; `caches.test.ts` has the rest. */
function setUp(options: FakeStagesOptions = {}) {
  const stages = new FakeStages({ work: nextTurn, ...options })
  return { stages, engine: new Engine(stages, { nextTurn, prefixCache: false }) }
}

interface RunHandle {
  readonly events: EngineEvent[]
  readonly result: Promise<GenerateResult>
  readonly controller: AbortController
}

function run(engine: Engine, options: GenerateOptions, onEvent?: (event: EngineEvent) => void): RunHandle {
  const events: EngineEvent[] = []
  const controller = new AbortController()
  const result = engine.run(parseGenerateOptions(options, epochNow()), {
    signal: controller.signal,
    onEvent(event) {
      events.push(event)
      onEvent?.(event)
    },
  })
  return { events, result, controller }
}

function deltas(events: readonly EngineEvent[]): string {
  return events.map(event => (event.type === 'token' ? event.text : '')).join('')
}

describe('engine', () => {
  test('runs a request through all stages and says where time and tokens went', async () => {
    const { engine, stages } = setUp({ answer: () => '  Hello you.\n ' })
    const { events, result } = run(engine, { prompt: 'hi', images: ['7*3'], maxTokens: 20 })
    const done = await result
    expect(done).toMatchObject({
      text: 'Hello you.',
      finishReason: 'stop',
      usage: {
        promptTokens: 10,
        imageTokens: 6,
        cachedTokens: 0,
        completionTokens: 15,
        draftTokens: 0,
        acceptedDraftTokens: 0,
        totalTokens: 25,
      },
      device: 'cpu',
      warnings: [],
      modelId: 'fake-model',
    })
    expect(done.tokenIds.at(-1)).toBe(STOP_ID)
    expect(done.tokenIds).toHaveLength(15)
    expect(deltas(events)).toBe(done.text)
    expect(events[0]).toEqual({ type: 'start', modelId: 'fake-model', warnings: [] })
    expect(events.filter(({ type }) => type === 'progress')).toEqual([
      { type: 'progress', stage: 'vision', done: 1, total: 1 },
      { type: 'progress', stage: 'prefill', done: 8, total: 10 },
      { type: 'progress', stage: 'prefill', done: 10, total: 10 },
    ])
    const { queueMs, preprocessMs, visionMs, prefillMs, timeToFirstTokenMs, decodeMs, tokensPerSecond } =
      done.timings
    for (const time of [queueMs, preprocessMs, visionMs, prefillMs, decodeMs, tokensPerSecond]) {
      expect(time).toBeGreaterThan(0)
    }
    expect(timeToFirstTokenMs).toBeCloseTo(queueMs + preprocessMs + visionMs + prefillMs, 3)
    expect(tokensPerSecond).toBeCloseTo(14_000 / decodeMs, 3)
    expect(stages.states.map(({ isDisposed }) => isDisposed)).toEqual([true])
    expect(stages.log).toContain('open 10000')
  })

  test('takes pictures in order of appearance, over all turns', async () => {
    const { engine, stages } = setUp()
    await run(engine, {
      applyExif: false,
      tiles: { useThumbnail: false },
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image', image: '5*2' },
            { type: 'text', text: 'a' },
            { type: 'image_url', image_url: '6' },
          ],
        },
        { role: 'assistant', content: 'b' },
        { role: 'user', content: [{ type: 'image_url', image_url: { url: '7*4', detail: 'low' } }] },
      ],
    }).result
    expect(stages.log.filter(line => !line.startsWith('open'))).toEqual([
      'tile 5*2 {"useThumbnail":false,"applyExif":false}',
      'tile 6 {"useThumbnail":false,"applyExif":false}',
      'tile 7*4 {"useThumbnail":false,"maxTiles":1,"minTiles":1,"applyExif":false}',
      'encode 5',
      'encode 6',
      'encode 7',
    ])
    const [state] = stages.states
    expect(state?.imageEmbeds).toEqual({ data: Float32Array.of(5, 5, 5, 5, 6, 6, 7, 7), dims: [8, 1] })
    expect(String.fromCharCode(...state!.ids)).toContain('u:\x01\x01\x01\x01a\x01\x01a:bu:\x01\x01')
  })

  test('says of each picture how large it is, and whether it is known', async () => {
    const { engine } = setUp()
    const imagesOf = async (images: string[]) => {
      const { events, result } = run(engine, { prompt: 'q', images })
      await result
      return events.flatMap(event => (event.type === 'image' ? [{ ...event, type: undefined }] : []))
    }
    const picture = (index: number, tiles: number, cached: boolean) => ({
      type: undefined,
      index,
      tiles,
      tokens: 2 * tiles,
      cached,
    })
    expect(await imagesOf(['5*2', '6', '5*2'])).toEqual([
      picture(0, 2, false),
      picture(1, 1, false),
      picture(2, 2, true),
    ])
    expect(await imagesOf(['5*2', '7'])).toEqual([picture(0, 2, true), picture(1, 1, false)])
    expect(await imagesOf([])).toEqual([])
  })

  test('ends at a stop string, and at the text of the stop token as the official code does', async () => {
    const { engine } = setUp({ answer: () => 'one. two. three' })
    expect(await run(engine, { prompt: '', stop: ' two' }).result).toMatchObject({
      text: 'one.',
      finishReason: 'stop',
    })
    const spelled = setUp({ answer: () => 'fine <end> more' })
    expect(await run(spelled.engine, { prompt: '' }).result).toMatchObject({
      text: 'fine',
      finishReason: 'stop',
    })
  })

  test('gives out at the end what may have become a stop string', async () => {
    const { engine } = setUp({ answer: () => 'a STO' })
    const { events, result } = run(engine, { prompt: '', stop: 'STOP' })
    expect((await result).text).toBe('a STO')
    expect(deltas(events)).toBe('a STO')
  })

  test('ends at maxTokens', async () => {
    const { engine } = setUp({ answer: () => 'abcdef' })
    expect(await run(engine, { prompt: '', maxTokens: 3 }).result).toMatchObject({
      text: 'abc',
      finishReason: 'length',
      usage: { completionTokens: 3 },
    })
  })

  test('asks for no more tokens than the context has room for, and says so', async () => {
    const { engine } = setUp({ contextLength: 10, answer: () => 'abcdefghijkl' })
    const result = await run(engine, { prompt: 'xy' }).result
    expect(result).toMatchObject({ text: 'abcdef', finishReason: 'length' })
    expect(result.warnings).toEqual(['maxTokens: 6 instead of 1024, no more fit behind a prompt of 4'])
  })

  test.each([
    [{ prompt: 'xy', maxTokens: 7 }, /needs 4 tokens and 7 for the answer, the context holds 10/],
    [{ prompt: '12345678' }, /needs 10 tokens, the context holds 10/],
    [{ prompt: '', images: ['1*5'] }, /needs 12 tokens, the context holds 10/],
  ])('refuses what the context has no room for: %j', async (options, message) => {
    const { engine, stages } = setUp({ contextLength: 10 })
    const { result } = run(engine, options)
    await expect(result).rejects.toMatchObject({
      code: 'CONTEXT_OVERFLOW',
      message: expect.stringMatching(message),
      details: { contextLength: 10, neededTokens: expect.any(Number), promptTokens: expect.any(Number) },
    })
    expect(stages.log.filter(line => !line.startsWith('tile'))).toEqual([])
  })

  test('refuses pictures for a model that reads text only', async () => {
    const { engine } = setUp({ isTextOnly: true })
    await expect(run(engine, { prompt: '', images: ['1'] }).result).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    })
    expect((await run(engine, { prompt: 'hi' }).result).text).toBe('ok')
  })

  test('warns of options that do nothing', async () => {
    const { warnings } = await run(setUp().engine, { prompt: '', topK: 3, topP: 0.5 }).result
    expect(warnings).toEqual([expect.stringMatching(/^topK/), expect.stringMatching(/^topP/)])
    expect((await run(setUp().engine, { prompt: '', minP: 0.1 }).result).warnings).toEqual([
      expect.stringMatching(/^minP/),
    ])
    expect((await run(setUp().engine, { prompt: '', topK: 3, temperature: 1 }).result).warnings).toEqual([])
  })

  test('repeats an answer for a seed, and varies without one', async () => {
    const { engine } = setUp({ logits: () => new Float32Array(128).fill(0, 0, 128) })
    const answer = async (seed?: number) =>
      (await run(engine, { prompt: '', temperature: 1, maxTokens: 12, seed }).result).tokenIds.join()
    expect(await answer(5)).toBe(await answer(5))
    expect(await answer(5)).not.toBe(await answer(6))
    expect(await answer()).not.toBe(await answer())
  })

  test('tells the seed that it drew with, so that an answer can be repeated', async () => {
    const { engine } = setUp({ logits: () => new Float32Array(128) })
    const options = { prompt: '', temperature: 1, maxTokens: 12 }
    const first = await run(engine, options).result
    const again = await run(engine, { ...options, seed: first.seed }).result
    expect(again.tokenIds).toEqual(first.tokenIds)
    expect((await run(engine, { prompt: '', maxTokens: 1 }).result).seed).toBeUndefined()
  })

  test('gives log-probabilities of the model’s own distribution, with the texts of the tokens', async () => {
    const logits = new Float32Array(128).fill(-100)
    logits[65] = Math.log(0.75)
    logits[66] = Math.log(0.25)
    const { engine } = setUp({ logits: () => logits })
    const { events, result } = run(engine, {
      prompt: '',
      maxTokens: 2,
      logprobs: 2,
      logitBias: { 65: -100 },
      repetitionPenalty: 5,
    })
    const { logprobs, tokenIds } = await result
    expect(tokenIds).toEqual([66, 66])
    const b = { token: 'B', bytes: [66], id: 66, logprob: expect.closeTo(Math.log(0.25), 6) }
    const a = { token: 'A', bytes: [65], id: 65, logprob: expect.closeTo(Math.log(0.75), 6) }
    expect(logprobs).toEqual([
      { ...b, top: [a, b] },
      { ...b, top: [a, b] },
    ])
    expect(events.flatMap(event => (event.type === 'token' ? [event.logprob] : []))).toEqual(logprobs)
    expect((await run(engine, { prompt: '', maxTokens: 1 }).result).logprobs).toBeUndefined()
  })

  test('refuses a logit bias for a token that does not exist, before any stage runs', async () => {
    const { engine, stages } = setUp()
    const { result } = run(engine, { prompt: '', images: ['1'], logitBias: { 128: 1 } })
    await expect(result).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: 'logitBias: token id 128; expected 0 to 127',
    })
    expect(stages.log).toEqual([])
  })

  test('passes errors of the stages on, frees the state and goes on with the next request', async () => {
    const { engine, stages } = setUp({
      logits: ids => new Float32Array(128).fill(ids.length > 5 ? Number.NaN : 1),
    })
    await expect(run(engine, { prompt: 'abc' }).result).rejects.toMatchObject({ code: 'NUMERIC' })
    expect(stages.states[0]?.isDisposed).toBe(true)
    await expect(run(engine, { prompt: '', images: ['x'] }).result).rejects.toMatchObject({
      code: 'IMAGE_INPUT',
    })
    expect((await run(engine, { prompt: '', maxTokens: 1 }).result).tokenIds).toHaveLength(1)
  })

  test('counts the tokens of a prompt without running the model', async () => {
    const { engine, stages } = setUp()
    const messages = parseGenerateOptions({ prompt: 'hi', images: ['1*2'] }, 0).messages
    expect(await engine.countTokens({ messages })).toEqual({
      promptTokens: 8,
      imageTokens: 4,
      cachedTokens: 0,
      completionTokens: 0,
      draftTokens: 0,
      acceptedDraftTokens: 0,
      totalTokens: 8,
    })
    expect(stages.log).toEqual(['tile 1*2 {}'])
  })
})

describe('the engine’s queue', () => {
  test('runs one request at a time in the order they came, and measures the waiting', async () => {
    const { engine } = setUp({ answer: prompt => prompt.slice(2) })
    const order: string[] = []
    const runs = ['aaaa', 'bb', 'c'].map(prompt =>
      run(engine, { prompt }, event => {
        if (event.type === 'start') order.push(`start ${prompt}`)
        if (event.type === 'token' && event.id === STOP_ID) order.push(`end ${prompt}`)
      }),
    )
    const results = await Promise.all(runs.map(({ result }) => result))
    expect(order).toEqual(['start aaaa', 'end aaaa', 'start bb', 'end bb', 'start c', 'end c'])
    expect(results.map(({ text }) => text)).toEqual(['aaaa', 'bb', 'c'])
    const [first, second, third] = results.map(({ timings }) => timings)
    expect(second!.queueMs).toBeGreaterThan(first!.decodeMs)
    expect(third!.queueMs).toBeGreaterThan(first!.decodeMs + second!.decodeMs)
  })

  test('lets an aborted request out at once, without disturbing the order of the others', async () => {
    let release = () => {}
    const gate = new Promise<void>(resolve => {
      release = resolve
    })
    const { engine, stages } = setUp({ work: () => gate })
    const first = run(engine, { prompt: '1' })
    const second = run(engine, { prompt: '2' })
    const third = run(engine, { prompt: '3' })
    await nextTurn()
    second.controller.abort()
    const result = await second.result
    expect(result).toMatchObject({ finishReason: 'aborted', text: '', usage: { promptTokens: 0 } })
    expect(result.timings.queueMs).toBeGreaterThan(0)
    await nextTurn()
    expect(third.events).toEqual([])
    release()
    expect((await first.result).text).toBe('ok')
    expect((await third.result).text).toBe('ok')
    expect(stages.states).toHaveLength(2)
  })
})

describe('an abort', () => {
  test('between tokens gives what there is', async () => {
    const { engine, stages } = setUp({ answer: () => 'abcdefgh' })
    const handle = run(engine, { prompt: '' }, event => {
      if (event.type === 'token' && event.index === 2) handle.controller.abort()
    })
    const result = await handle.result
    expect(result).toMatchObject({
      text: 'abc',
      finishReason: 'aborted',
      usage: { promptTokens: 2, completionTokens: 3 },
    })
    expect(deltas(handle.events)).toBe(result.text)
    expect(stages.states[0]).toMatchObject({ isDisposed: true, length: 4 })
  })

  test('between chunks of the prompt stops reading it', async () => {
    const { engine, stages } = setUp()
    const handle = run(engine, { prompt: 'x'.repeat(100) }, event => {
      if (event.type === 'progress' && event.done === 16) handle.controller.abort()
    })
    expect(await handle.result).toMatchObject({ finishReason: 'aborted', tokenIds: [] })
    expect(stages.states[0]).toMatchObject({ isDisposed: true, length: 16 })
  })

  test('between pictures encodes no more of them', async () => {
    const { engine, stages } = setUp()
    const handle = run(engine, { prompt: '', images: ['1', '2'] }, event => {
      if (event.type === 'progress') handle.controller.abort()
    })
    expect(await handle.result).toMatchObject({ finishReason: 'aborted', usage: { imageTokens: 4 } })
    expect(stages.log.filter(line => line.startsWith('encode'))).toEqual(['encode 1'])
    expect(stages.states[0]).toMatchObject({ isDisposed: true, length: 0 })
  })

  test('before the start runs nothing', async () => {
    const { engine, stages } = setUp()
    const handle = run(engine, { prompt: '' })
    handle.controller.abort()
    expect((await handle.result).finishReason).toBe('aborted')
    expect(stages.states).toEqual([])
  })
})

describe('disposing the engine', () => {
  test('aborts the run and the queue, frees the stages after them and refuses later calls', async () => {
    const { engine, stages } = setUp({ answer: () => 'a'.repeat(500) })
    const running = run(engine, { prompt: '' })
    const waiting = run(engine, { prompt: '' })
    while (running.events.length < 5) await nextTurn()
    const disposing = engine.dispose()
    expect(engine.dispose()).toBe(disposing)
    await disposing
    expect((await running.result).finishReason).toBe('aborted')
    expect((await waiting.result).finishReason).toBe('aborted')
    expect(stages.log.filter(line => line === 'dispose')).toHaveLength(1)
    expect(stages.states.every(({ isDisposed }) => isDisposed)).toBe(true)
    await expect(run(engine, { prompt: '' }).result).rejects.toThrowError(NVLMError)
    await expect(engine.countTokens({ messages: [] })).rejects.toMatchObject({ code: 'DISPOSED' })
  })
})

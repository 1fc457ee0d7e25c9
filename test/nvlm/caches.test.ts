import { afterEach, describe, expect, test } from 'vitest'
import type { CacheOptions } from '../../src/nvlm/cache-options.js'
import { Engine } from '../../src/nvlm/engine.js'
import type { EngineEvent, GenerateResult } from '../../src/nvlm/engine-client.js'
import { type GenerateOptions, parseGenerateOptions } from '../../src/nvlm/generate-options.js'
import { loadEngine } from '../../src/nvlm/load-engine.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { epochNow } from '../../src/nvlm/run-clock.js'
import { nodeEngineRuntime } from '../../src/nvlm/worker/node-host.js'
import { checkpointFolder, imagePath, messagesOf, readGolden } from '../support/official-golden.js'
import { FakeStages, type FakeStagesOptions, nextTurn } from './fake-stages.js'

function setUp(caches: CacheOptions, options: FakeStagesOptions = {}) {
  const stages = new FakeStages({ work: nextTurn, ...options })
  const engine = new Engine(stages, { nextTurn, ...caches })
  const ask = (
    request: GenerateOptions,
    onEvent: (event: EngineEvent, abort: () => void) => void = () => {},
  ): Promise<GenerateResult> => {
    const controller = new AbortController()
    return engine.run(parseGenerateOptions(request, epochNow()), {
      signal: controller.signal,
      onEvent: event => onEvent(event, () => controller.abort()),
    })
  }
  const numWorks = (name: string) => stages.log.filter(line => line.startsWith(name)).length
  return { stages, ask, numWorks }
}

describe('a second question about a picture', () => {
  test.each<[string, CacheOptions]>([
    ['by default', {}],
    ['with the embeddings alone', { prefixCache: false }],
    ['with the sequence alone', { visionCache: false }],
  ])('costs no vision work %s', async (_, caches) => {
    const { ask, numWorks } = setUp(caches, { answer: prompt => prompt })
    const events: EngineEvent[] = []
    const first = await ask({ prompt: 'what?', images: ['7*3'] })
    const second = await ask({ prompt: 'where?', images: ['7*3'] }, event => events.push(event))
    expect(first.timings.visionMs).toBeGreaterThan(0)
    expect(second.timings.visionMs).toBe(0)
    expect(numWorks('encode')).toBe(1)
    expect(events.some(event => event.type === 'progress' && event.stage === 'vision')).toBe(false)
    expect(second.text).toBe('u:\x01\x01\x01\x01\x01\x01where?')
    expect(second.usage).toMatchObject({ promptTokens: 14, imageTokens: 6 })
    // `u:`, the picture and the `wh` of both questions
    expect(second.usage.cachedTokens).toBe(caches.prefixCache === false ? 0 : 10)
  })

  test('does not even cut it again when its embeddings are kept', async () => {
    const { ask, numWorks } = setUp({})
    await ask({ prompt: 'a', images: ['7*3'] })
    await ask({ prompt: 'b', images: ['7*3'] })
    expect(numWorks('tile')).toBe(1)
  })

  test('works it all out again without caches', async () => {
    const { ask, numWorks } = setUp({ visionCache: false, prefixCache: false })
    for (const prompt of ['a', 'b']) {
      const { timings, usage } = await ask({ prompt, images: ['7*3'] })
      expect(timings.visionMs).toBeGreaterThan(0)
      expect(usage.cachedTokens).toBe(0)
    }
    expect([numWorks('encode'), numWorks('tile')]).toEqual([2, 2])
  })

  test('with other tiles is about another picture', async () => {
    const { ask, numWorks } = setUp({})
    await ask({ prompt: 'a', images: ['7*3'] })
    const { usage } = await ask({ prompt: 'a', images: ['7*3'], tiles: { maxTiles: 2 } })
    expect(usage).toMatchObject({ imageTokens: 4, cachedTokens: 2 })
    expect(numWorks('encode')).toBe(2)
  })
})

test('a picture that a request shows twice is encoded once, even without caches', async () => {
  const { ask, numWorks, stages } = setUp({ visionCache: false, prefixCache: false })
  await ask({ prompt: '', images: ['7', '8', '7'] })
  expect(numWorks('encode')).toBe(2)
  expect(stages.states[0]?.imageEmbeds?.data).toEqual(Float32Array.of(7, 7, 8, 8, 7, 7))
})

test('pictures that do not fit into the budget push older ones out', async () => {
  // 4 float32 a tile of the fake model: two rows of one value
  const { ask, numWorks } = setUp({ visionCache: 2 * 8, prefixCache: false })
  for (const image of ['1', '2', '1', '3', '1', '2']) await ask({ prompt: '', images: [image] })
  expect(numWorks('encode')).toBe(4)
})

describe('a prompt that was broken off', () => {
  test('in the midst of a picture is read on from there, with the rest of its embeddings', async () => {
    const { ask, stages } = setUp({}, { answer: prompt => `${prompt.length}` })
    const images = ['5*2', '6*4']
    const aborted = await ask({ prompt: 'ab', images }, (event, abort) => {
      if (event.type === 'progress' && event.stage === 'prefill') abort()
    })
    expect(aborted).toMatchObject({ finishReason: 'aborted', usage: { promptTokens: 16, cachedTokens: 0 } })
    expect(stages.states[0]?.length).toBe(8)
    const whole = await ask({ prompt: 'ab', images })
    expect(whole).toMatchObject({ text: '16', usage: { cachedTokens: 8, imageTokens: 12 } })
    // places 2 to 5 are the first picture, 6 and 7 the begin of the second
    expect(stages.states[0]?.imageEmbeds).toEqual({ data: new Float32Array(6).fill(6), dims: [6, 1] })
    expect(stages.states).toHaveLength(1)
  })

  test('by an error leaves nothing behind', async () => {
    let isBroken = true
    const { ask, stages } = setUp({}, { logits: () => new Float32Array(128).fill(isBroken ? Number.NaN : 1) })
    await expect(ask({ prompt: 'abc' })).rejects.toMatchObject({ code: 'NUMERIC' })
    expect(stages.states[0]?.isDisposed).toBe(true)
    isBroken = false
    expect((await ask({ prompt: 'abc', maxTokens: 1 })).usage.cachedTokens).toBe(0)
  })
})

test('the next turn of a conversation reads what is new only', async () => {
  const { ask } = setUp({}, { answer: () => 'fine' })
  const user = (content: string) => ({ role: 'user' as const, content })
  const first = await ask({ messages: [user('hi')] })
  const second = await ask({
    messages: [user('hi'), { role: 'assistant', content: first.text }, user('more')],
  })
  // the fake prompt has no header of the answer to come: `u:hi` is followed by `a:fine`
  expect(second.usage).toMatchObject({ promptTokens: 'u:hia:fineu:more'.length, cachedTokens: 'u:hi'.length })
})

describe.each(['nvlmd-tiny-fp32', 'internvl-tiny-fp32'])('caches of %s', name => {
  let loaded: NVLM | undefined
  afterEach(() => loaded?.dispose())

  async function load(caches: CacheOptions): Promise<NVLM> {
    const runtime = nodeEngineRuntime(new URL('file:///unused'))
    loaded = new NVLM(await loadEngine(checkpointFolder(name), { worker: false, ...caches }, runtime))
    return loaded
  }

  /** Two pictures, questions that part early, late and not at all, and a conversation. */
  function requests(): readonly GenerateOptions[] {
    const images = ['images/a_100x60.png', 'images/c_200x90.png'].map(imagePath)
    const short = { maxTokens: 8, tiles: { maxTiles: 3 } }
    const history = readGolden(name).cases.find(one => one.name === 'multi_turn')!
    return [
      { prompt: 'What is this?', images, ...short },
      { prompt: 'What is that?', images, ...short },
      { prompt: 'What is that?', images, ...short },
      { prompt: 'What is that?', images: [...images].reverse(), ...short },
      { prompt: 'Nothing to see', ...short },
      { messages: messagesOf(history).slice(0, 1), ...short },
      { messages: messagesOf(history), ...short },
    ]
  }

  test('change no token of any answer', async () => {
    const cold = await load({ visionCache: false, prefixCache: false })
    const expected = []
    for (const request of requests()) expected.push((await cold.generate(request)).tokenIds)
    await cold.dispose()
    const warm = await load({})
    const results = []
    for (const request of requests()) results.push(await warm.generate(request))
    expect(results.map(({ tokenIds }) => tokenIds)).toEqual(expected)
    const [first, second, third, reversed] = results
    expect(first?.usage.cachedTokens).toBe(0)
    expect(second?.usage.cachedTokens).toBeGreaterThan(second!.usage.imageTokens)
    expect(third?.usage.cachedTokens).toBe(third!.usage.promptTokens - 1)
    expect(reversed?.usage.cachedTokens).toBeLessThan(
      third!.usage.cachedTokens - third!.usage.imageTokens / 2,
    )
    expect([second, third, reversed].map(result => result?.timings.visionMs)).toEqual([0, 0, 0])
    const [opening, whole] = results.slice(5)
    expect(whole?.usage.cachedTokens).toBeGreaterThan(opening!.usage.promptTokens - 8)
  })
})

import { describe, expect, test } from 'vitest'
import { Engine } from '../../src/nvlm/engine.js'
import type { GenerateResult } from '../../src/nvlm/engine-client.js'
import type { GenerateOptions } from '../../src/nvlm/generate-options.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { nextTurn, nodeHost } from '../../src/nvlm/worker/node-host.js'
import { checkpointFolder, imagePath } from '../support/official-golden.js'
import { FakeStages } from './fake-stages.js'

const REQUESTS: readonly GenerateOptions[] = [
  { prompt: 'What is this?', images: [imagePath('images/c_200x90.png')], maxTokens: 24, minTokens: 24 },
  { prompt: 'Hello', temperature: 1, seed: 3, maxTokens: 24, minTokens: 24 },
  { prompt: 'And '.repeat(300), maxTokens: 24, minTokens: 24 },
  { prompt: 'Count to ten.', repetitionPenalty: 1.5, maxTokens: 24, minTokens: 24 },
  { prompt: 'one two three four '.repeat(20), maxTokens: 30, minTokens: 30, promptLookup: true },
  { prompt: 'Which colour?', choices: ['red', 'green', 'blue'] },
  { prompt: 'Why?', temperature: 0.7, topP: 0.9, seed: 8, maxTokens: 40, minTokens: 40, logprobs: 3 },
  { prompt: 'Then', stop: ['zzz'], maxTokens: 5, minTokens: 5, logprobs: 1 },
]

function loadTiny(concurrency: number) {
  const folder = checkpointFolder('nvlmd-tiny-fp32')
  return loadStages(nodeHost, folder, { device: 'cpu' }, { concurrency, nextTurn })
}

async function load(concurrency: number): Promise<NVLM> {
  const stages = await loadTiny(concurrency)
  return new NVLM(new Engine(stages, { nextTurn, concurrency, prefixCache: false }))
}

/** Which of three generations each token came from, in the order they came. */
async function orderOfTokens(nvlm: NVLM, options: GenerateOptions): Promise<readonly number[]> {
  const order: number[] = []
  await Promise.all(
    [0, 1, 2].map(number =>
      nvlm.generate({ ...options, prompt: 'Hello' }).on('token', () => order.push(number)),
    ),
  )
  return order
}

describe('several generations at once', () => {
  test('give the answers that they give alone', async () => {
    await using single = await load(1)
    const alone: GenerateResult[] = []
    for (const request of REQUESTS) alone.push(await single.generate(request))
    await using nvlm = await load(REQUESTS.length)
    const together = await Promise.all(REQUESTS.map(request => nvlm.generate(request)))
    expect(together.map(({ tokenIds }) => tokenIds)).toEqual(alone.map(({ tokenIds }) => tokenIds))
    const logprobs = (results: readonly GenerateResult[]) =>
      results.flatMap(result => result.logprobs?.map(({ logprob }) => logprob) ?? [])
    expect(logprobs(alone)).toHaveLength(45)
    for (const [index, value] of logprobs(together).entries()) {
      expect(value).toBeCloseTo(logprobs(alone)[index]!, 4)
    }
  })

  test('have their failures for themselves', async () => {
    await using nvlm = await load(4)
    const options = { maxTokens: 30, minTokens: 30 }
    const alone = await nvlm.generate('Hello', options)
    const replies = [
      nvlm.generate('Hello', options),
      nvlm.generate('Look', { ...options, images: ['/no/such/picture.png'] }),
      nvlm.generate('Hello', { maxTokens: 30, schema: { type: 'string', minLength: 99 } }),
    ]
    const [first, missing, cut] = await Promise.allSettled(replies)
    expect(missing?.status).toBe('rejected')
    expect(cut).toMatchObject({ reason: { code: 'SCHEMA_MISMATCH' } })
    expect(first).toMatchObject({ value: { tokenIds: alone.tokenIds } })
  })

  test('take turns token by token, in the order they came', async () => {
    const stages = new FakeStages({ work: nextTurn, answer: () => 'a'.repeat(20) })
    await using nvlm = new NVLM(new Engine(stages, { nextTurn, concurrency: 3 }))
    const order = await orderOfTokens(nvlm, { promptLookup: false })
    expect(order).toEqual(Array.from({ length: 63 }, (_, index) => index % 3))
  })

  test('move on together with a real model', async () => {
    await using nvlm = await load(3)
    const options = { maxTokens: 20, minTokens: 20, promptLookup: false }
    // embeddings come from a file the first time, and from memory after that: who waits for a file loses its turn
    await nvlm.generate('Hello', options)
    const order = await orderOfTokens(nvlm, options)
    const counts = [0, 0, 0]
    for (const number of order) {
      counts[number]!++
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
    }
    expect(counts).toEqual([20, 20, 20])
  })

  test('do not wait for the whole of another one’s long prompt', async () => {
    await using nvlm = await load(2)
    const ended: string[] = []
    const long = nvlm.generate('word '.repeat(1500), { maxTokens: 1 }).finally(() => ended.push('long'))
    const short = nvlm.generate('Hi', { maxTokens: 3, minTokens: 3 }).finally(() => ended.push('short'))
    await Promise.all([long, short])
    expect(ended).toEqual(['short', 'long'])
  })

  test('are as many as `concurrency` says, and the rest wait in line', async () => {
    const stages = new FakeStages({ work: nextTurn, answer: () => 'abcdef' })
    await using nvlm = new NVLM(new Engine(stages, { nextTurn, concurrency: 2 }))
    const replies = Array.from({ length: 5 }, (_, i) => nvlm.generate(`${i}`))
    const seen: number[] = []
    for (const reply of replies) {
      reply.on('token', () => seen.push(replies.filter(({ status }) => status === 'running').length))
    }
    await Promise.all(replies)
    expect(Math.max(...seen)).toBe(2)
  })

  test('are aborted one by one', async () => {
    await using nvlm = await load(2)
    const options = { maxTokens: 30, minTokens: 30 }
    const stopped = nvlm.generate('Hello', options)
    const other = nvlm.generate('Hello', options)
    stopped.on('token', ({ index }) => index === 4 && stopped.abort('enough'))
    await expect(stopped).rejects.toBe('enough')
    expect(stopped.partial?.tokenIds).toEqual((await other).tokenIds.slice(0, 5))
  })
})

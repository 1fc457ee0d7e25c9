import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { defaultModelFolder, NVLM } from '../../src/node.js'
import { serveTiny } from '../server/served-tiny.js'

const SIGN = 'examples/pictures/sign.png'
const SHAPES = 'examples/pictures/shapes.png'

/** The same model twice: here, and behind this library's own server. */
let here: NVLM
let there: NVLM
let served: Awaited<ReturnType<typeof serveTiny>>

beforeAll(async () => {
  served = await serveTiny({ apiKey: 'a key of the test' })
  here = await NVLM.load(defaultModelFolder, { worker: false })
  there = await NVLM.load({ remote: { baseURL: `${served.url}/v1`, apiKey: 'a key of the test' } })
})
afterAll(async () => {
  await Promise.all([here.dispose(), there.dispose()])
  await served.close()
})

/** What must be the same in both places. */
async function outcome(nvlm: NVLM, options: Parameters<NVLM['generate']>[0] & object) {
  const pieces: string[] = []
  const reply = nvlm.generate(options as { prompt: string })
  for await (const piece of reply) pieces.push(piece)
  const { text, tokenIds, finishReason, usage, modelId } = await reply
  const { promptTokens, imageTokens, completionTokens } = usage
  expect(pieces.join('')).toBe(text)
  return { text, tokenIds, finishReason, promptTokens, imageTokens, completionTokens, modelId }
}

describe('a model behind nvlm serve', () => {
  test.each([
    ['greedy', { prompt: 'What does the sign say?', images: SIGN }],
    ['a system prompt', { prompt: 'Describe the picture.', images: SHAPES, system: 'Be brief.' }],
    [
      'drawn with a seed',
      { prompt: 'Describe the picture.', images: SHAPES, temperature: 1, topK: 20, seed: 9 },
    ],
    [
      'with penalties',
      { prompt: 'Describe the picture.', images: SHAPES, frequencyPenalty: 1, repetitionPenalty: 1.2 },
    ],
    ['one tile', { prompt: 'What does the sign say?', images: SIGN, tiles: { maxTiles: 1 } }],
    ['cut off', { prompt: 'Describe the picture.', images: SHAPES, maxTokens: 5 }],
    ['a stop text', { prompt: 'Describe the picture.', images: SHAPES, stop: ',' }],
    ['a pattern', { prompt: 'What does the sign say?', images: SIGN, regex: /[A-Z]{2,8} \$\d/ }],
    ['choices', { prompt: 'Describe the picture.', images: SHAPES, choices: ['circles', 'squares'] }],
  ])('says the same tokens as in this process: %s', async (_, options) => {
    expect(await outcome(there, options)).toEqual(await outcome(here, options))
  })

  test('gives the same object, tool calls and log-probabilities', async () => {
    const schema = z.object({ item: z.enum(['COFFEE', 'TEA']), count: z.int().min(0).max(99) })
    const ask = { prompt: 'What does the sign say?', images: SIGN }
    const [mine, its] = await Promise.all([here, there].map(nvlm => nvlm.generate({ ...ask, schema })))
    expect(its!.object).toEqual(mine!.object)

    const tools = { order: { parameters: schema } }
    const asked = [here, there].map(nvlm => nvlm.generate({ ...ask, tools, toolChoice: 'required' }))
    const [called, itsCalled] = await Promise.all(asked)
    expect(itsCalled!.finishReason).toBe('tool-calls')
    expect(itsCalled!.toolCalls.map(call => call.arguments)).toEqual(
      called!.toolCalls.map(call => call.arguments),
    )

    const likely = [here, there].map(nvlm => nvlm.generate({ ...ask, logprobs: 2 }))
    const [own, other] = (await Promise.all(likely)).map(({ logprobs = [] }) =>
      logprobs.map(({ id, token, logprob, top }) => ({ id, token, logprob, top: top.map(one => one.token) })),
    )
    expect(other).toEqual(own)
  })

  test('chats the same, with pictures of earlier turns', async () => {
    const [mine, its] = [here, there].map(nvlm => nvlm.chat())
    for (const chat of [mine!, its!]) {
      await chat.send('Describe the picture.', { images: SHAPES })
      await chat.send('How many shapes are there?')
    }
    expect(its!.messages).toEqual(mine!.messages)
  })

  test('says what the server says of a prompt that is too long', async () => {
    const failing = there.generate('word '.repeat(3000), { maxTokens: 9 })
    await expect(failing).rejects.toMatchObject({ code: 'CONTEXT_OVERFLOW' })
    const wrongKey = NVLM.load({ remote: { baseURL: `${served.url}/v1`, apiKey: 'another key' } })
    await expect(wrongKey).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })
})

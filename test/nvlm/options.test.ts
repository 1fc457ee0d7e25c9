import { describe, expect, test } from 'vitest'
import { NVLMError } from '../../src/core/errors.js'
import {
  type GenerateOptions,
  parseGenerateOptions,
  parsePromptOptions,
} from '../../src/nvlm/generate-options.js'
import { type LoadOptions, parseLoadOptions } from '../../src/nvlm/load-options.js'

function refusal(parse: () => unknown): NVLMError {
  try {
    parse()
  } catch (error) {
    if (error instanceof NVLMError) return error
    throw error
  }
  throw new Error('the options were accepted')
}

const generate = (options: unknown) => parseGenerateOptions(options as GenerateOptions, 0)

describe('generate options', () => {
  test('of the short form become messages, pictures first', () => {
    const image = new Uint8Array(1)
    expect(generate({ prompt: 'q' }).messages).toEqual([{ role: 'user', content: 'q' }])
    expect(generate({ prompt: 'q', system: 's', images: [image, 'b.png'] }).messages).toEqual([
      { role: 'system', content: 's' },
      {
        role: 'user',
        content: [
          { type: 'image', image },
          { type: 'image', image: 'b.png' },
          { type: 'text', text: 'q' },
        ],
      },
    ])
    expect(generate({ prompt: 'q', images: image }).messages).toMatchObject([
      { content: [{ type: 'image', image }, { type: 'text' }] },
    ])
  })

  test('hand pictures through as they are', () => {
    const image = { a: Symbol('anything') }
    const { messages } = generate({ messages: [{ role: 'user', content: [{ type: 'image', image }] }] })
    const [message] = messages
    expect(message?.role === 'user' && Array.isArray(message.content) && message.content[0].image).toBe(image)
  })

  test('are given on in one shape', () => {
    expect(
      generate({
        prompt: 'q',
        temperature: 0.5,
        topK: 2,
        seed: 3,
        stop: 'x',
        maxTokens: 5,
        applyExif: false,
      }),
    ).toEqual({
      messages: [{ role: 'user', content: 'q' }],
      applyExif: false,
      sampling: { temperature: 0.5, topK: 2 },
      seed: 3,
      maxTokens: 5,
      stop: ['x'],
      submittedAt: 0,
    })
    expect(generate({ prompt: 'q', stop: ['a', 'b'] }).stop).toEqual(['a', 'b'])
    expect(generate({ prompt: 'q' }).stop).toEqual([])
  })

  test('about log-probabilities become a number of alternatives', () => {
    const numLogprobs = (logprobs: unknown) => generate({ prompt: 'q', logprobs }).numLogprobs
    expect([true, 0, 5, false, undefined].map(numLogprobs)).toEqual([0, 0, 5, undefined, undefined])
  })

  const user = { role: 'user', content: 'q' }
  test.each<[unknown, RegExp]>([
    [{ prompt: 'q', temprature: 1 }, /unknown option "temprature"/],
    [{ prompt: 'q', tiles: { max: 1 } }, /unknown option "tiles.max"/],
    [{ messages: [{ ...user, name: 'x' }] }, /unknown option "messages.0.name"/],
    [{}, /neither "prompt" nor "messages"/],
    [{ prompt: 'q', messages: [user] }, /"prompt" and "messages" exclude/],
    [{ images: [], system: 's', messages: [user] }, /"images", "system" and "messages" exclude/],
    [{ messages: [] }, /option "messages": expected one message or more/],
    [
      { messages: [{ role: 'robot', content: '' }] },
      /option "messages.0.role": expected a message with role/,
    ],
    [
      { messages: [{ role: 'user', content: 5 }] },
      /option "messages.0.content": expected a string or a list of parts/,
    ],
    [{ messages: [{ role: 'user', content: [{ type: 'image' }] }] }, /image.*: expected an image/],
    [
      { messages: [{ role: 'user', content: [{ type: 'video' }] }] },
      /option "messages.0.content.0.type": expected a part of type/,
    ],
    [{ prompt: 5 }, /option "prompt": expected a string/],
    [{ prompt: 'q', temperature: -1 }, /option "temperature": expected 0/],
    [{ prompt: 'q', temperature: Number.NaN }, /option "temperature": expected a number/],
    [{ prompt: 'q', topK: 0 }, /option "topK": expected an integer of 1 or more/],
    [{ prompt: 'q', topK: 1.5 }, /option "topK": expected an integer/],
    [{ prompt: 'q', topP: 1.1 }, /option "topP": expected 0 to 1/],
    [{ prompt: 'q', repetitionPenalty: 0 }, /option "repetitionPenalty": expected more than 0/],
    [{ prompt: 'q', minP: -0.1 }, /option "minP": expected 0 to 1/],
    [{ prompt: 'q', presencePenalty: 2.1 }, /option "presencePenalty": expected -2 to 2/],
    [{ prompt: 'q', frequencyPenalty: '1' }, /option "frequencyPenalty": expected a number/],
    [{ prompt: 'q', logitBias: { a: 1 } }, /option "logitBias.a": expected an object with token ids as keys/],
    [{ prompt: 'q', logitBias: { 1: 101 } }, /option "logitBias.1": expected -100 to 100/],
    [{ prompt: 'q', logitBias: 5 }, /option "logitBias": expected an object/],
    [{ prompt: 'q', logprobs: '5' }, /option "logprobs": expected true, false/],
    [{ prompt: 'q', logprobs: 21 }, /option "logprobs": expected true, false or 0 to 20/],
    [{ prompt: 'q', noRepeatNgram: 0 }, /option "noRepeatNgram": expected an integer of 1/],
    [{ prompt: 'q', seed: -1 }, /option "seed"/],
    [{ prompt: 'q', maxTokens: 0 }, /option "maxTokens": expected an integer of 1 or more/],
    [{ prompt: 'q', maxTokens: 2, minTokens: 3 }, /"minTokens": 3 is more than maxTokens 2/],
    [{ prompt: 'q', stop: 5 }, /option "stop": expected a string or a list of strings/],
    [{ prompt: 'q', stop: '' }, /option "stop": expected a string that is not empty/],
    [{ prompt: 'q', stop: ['a', ''] }, /option "stop.1": expected a string that is not empty/],
    [{ prompt: 'q', promptLookup: 3 }, /option "promptLookup": expected true, false or/],
    [{ prompt: 'q', promptLookup: { minNgram: 0 } }, /option "promptLookup.minNgram": expected 1 to 64/],
    [
      { prompt: 'q', promptLookup: { minNgram: 3, maxNgram: 2 } },
      /option "promptLookup": expected a minNgram/,
    ],
    [{ prompt: 'q', promptLookup: { ngram: 2 } }, /unknown option "promptLookup.ngram"/],
    [{ prompt: 'q', signal: {} }, /option "signal": expected an AbortSignal/],
    ['q', /expected an object of options/],
    [undefined, /expected an object of options/],
  ])('that are wrong are refused with their name: %j', (options, message) => {
    const error = refusal(() => generate(options))
    expect(error.code).toBe('INVALID_OPTION')
    expect(error.message).toMatch(/^generate: /)
    expect(error.message).toMatch(message)
  })

  test('that do not exist get the list of those that do', () => {
    expect(refusal(() => generate({ prompt: 'q', top_k: 1 })).hint).toMatch(/prompt, images.*topK/)
  })

  test('about sampling are none of countTokens', () => {
    const options = { prompt: 'q', temperature: 1 } as never
    expect(refusal(() => parsePromptOptions(options, 'countTokens')).message).toBe(
      'countTokens: unknown option "temperature"',
    )
  })
})

describe('load options', () => {
  const backend = { name: 'mine', devices: ['cpu' as const], createSession: async () => ({}) as never }

  test('run the model in a worker, but not with a backend of this thread', () => {
    expect(parseLoadOptions({}).worker).toBe(true)
    expect(parseLoadOptions({ worker: false }).worker).toBe(false)
    expect(parseLoadOptions({ backend })).toEqual({ backend, worker: false })
  })

  test.each<[unknown, RegExp]>([
    [{ backend, worker: true }, /"backend".*"worker": true exclude each other/],
    [{ device: 'gpu' }, /option "device"/],
    [{ dtype: 'q5' }, /dtype/],
    [{ contextLength: 0 }, /option "contextLength"/],
    [{ concurrency: 0 }, /option "concurrency": expected 1 to 1000/],
    [{ thread: 1 }, /unknown option "thread"/],
    [{ signal: 5 }, /option "signal"/],
    [{ onProgress: 5 }, /option "onProgress"/],
    [{ backend: {} }, /option "backend"/],
  ])('that are wrong are refused with their name: %j', (options, message) => {
    const error = refusal(() => parseLoadOptions(options as LoadOptions))
    expect(error.code).toBe('INVALID_OPTION')
    expect(error.message).toMatch(message)
  })
})

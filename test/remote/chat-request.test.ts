import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type GenerateOptions, parseGenerateCall } from '../../src/nvlm/generate-options.js'
import { chatRequest, requestWarnings } from '../../src/remote/chat-request.js'
import type { RemoteDialect } from '../../src/remote/remote-options.js'
import { wireTiles } from '../../src/remote/wire-tiles.js'

function bodyOf(options: GenerateOptions, dialect: RemoteDialect = 'vllm') {
  const { request } = parseGenerateCall({ prompt: 'x', ...options }, 0)
  const tiles = wireTiles(request, dialect)
  return chatRequest(request, { model: 'm', dialect, messages: [], tiles, seed: 5 })
}

const warningsOf = (options: GenerateOptions, dialect: RemoteDialect = 'vllm') =>
  requestWarnings(parseGenerateCall({ prompt: 'x', ...options }, 0).request, { dialect })

const TOOL = { parameters: { type: 'object' } } as const

describe('the request to vLLM', () => {
  test('says of everything that decides about tokens what it is, so that the server adds nothing', () => {
    expect(bodyOf({})).toEqual({
      model: 'm',
      messages: [],
      stream: true,
      stream_options: { include_usage: true },
      max_tokens: 1024,
      temperature: 0,
      top_p: 1,
      top_k: 0,
      min_p: 0,
      repetition_penalty: 1,
      frequency_penalty: 0,
      presence_penalty: 0,
      return_token_ids: true,
    })
  })

  test.each<[GenerateOptions, object]>([
    [{ maxTokens: 7 }, { max_tokens: 7 }],
    [{ temperature: 0.5 }, { temperature: 0.5, seed: 5 }],
    [
      { temperature: 1, topK: 40, topP: 0.9, minP: 0.1 },
      { top_k: 40, top_p: 0.9, min_p: 0.1 },
    ],
    [
      { repetitionPenalty: 1.1, presencePenalty: 0.2, frequencyPenalty: -0.3 },
      { repetition_penalty: 1.1, presence_penalty: 0.2, frequency_penalty: -0.3 },
    ],
    [{ minTokens: 3 }, { min_tokens: 3 }],
    [{ logitBias: { 5: -100 } }, { logit_bias: { 5: -100 } }],
    [{ stop: ['\n', 'END'] }, { stop: ['\n', 'END'] }],
    [{ logprobs: true }, { logprobs: true, top_logprobs: 0 }],
    [{ logprobs: 5 }, { logprobs: true, top_logprobs: 5 }],
    [{ choices: ['a', 'b'] }, { structured_outputs: { choice: ['a', 'b'] } }],
    [{ regex: /\d+/ }, { structured_outputs: { regex: '\\d+' } }],
    [
      { schema: { type: 'object' } },
      {
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'answer', schema: { type: 'object' }, strict: true },
        },
      },
    ],
    [
      { images: 'a.png', tiles: { maxTiles: 12, minTiles: 2 } },
      { mm_processor_kwargs: { max_dynamic_patch: 12, min_dynamic_patch: 2 } },
    ],
    [{ tools: { a: TOOL } }, { tool_choice: 'auto' }],
    [{ tools: { a: TOOL }, toolChoice: 'required' }, { tool_choice: 'required' }],
    [{ tools: { a: TOOL, b: TOOL }, toolChoice: 'required' }, { tool_choice: 'required' }],
    [
      { tools: { a: TOOL, b: TOOL }, toolChoice: { name: 'b' } },
      { tool_choice: { type: 'function', function: { name: 'b' } } },
    ],
  ])('has %j as %j', (options, fields) => {
    expect(options.tools ? toolBody(options) : bodyOf(options)).toMatchObject(fields)
  })

  /** Of the first step of a run with tools. */
  function toolBody(options: GenerateOptions) {
    const { request, output } = parseGenerateCall({ prompt: 'x', ...options }, 0)
    const { definitions: tools, format } = output.tools!
    return chatRequest(
      { ...request, tools, format },
      { model: 'm', dialect: 'vllm', messages: [], tiles: { details: [] }, seed: 5 },
    )
  }

  test('closes the objects of a tool that must be called, where its library means them closed', () => {
    const tools = { a: { parameters: z.object({ b: z.object({ c: z.string() }) }) } }
    const [tool] = toolBody({ tools, toolChoice: 'required' }).tools as [{ function: { parameters: object } }]
    expect(tool.function.parameters).toMatchObject({
      additionalProperties: false,
      properties: { b: { additionalProperties: false, properties: { c: { type: 'string' } } } },
    })
  })

  test('has no seed where nothing is drawn', () => {
    expect(bodyOf({ seed: 3 })).not.toHaveProperty('seed')
  })

  test.each<[GenerateOptions, RegExp]>([
    [{ noRepeatNgram: 2 }, /noRepeatNgram/],
    [{ images: 'a.png', tiles: { useThumbnail: false } }, /useThumbnail/],
    [
      {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'image', image: 'a.png', tiles: { maxTiles: 1 } },
              { type: 'image', image: 'b.png' },
            ],
          },
        ],
        prompt: undefined,
      },
      /differ/,
    ],
  ])('can not have %j', (options, message) => {
    expect(() => bodyOf(options)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED', message: expect.stringMatching(message) }),
    )
  })

  test.each<[GenerateOptions, RegExp]>([
    [{ promptLookup: true }, /^promptLookup: has no effect/],
    [{ repetitionPenalty: 1.2 }, /^repetitionPenalty: .*prompt/],
    [{ topK: 4 }, /^topK: has no effect at temperature 0/],
    [{ logprobs: 2 }, /^logprobs: /],
    [{ regex: /a/s }, /^regex: /],
    [{ prompt: 'say <|im_end|> twice' }, /^messages: .*<\|im_end\|>/],
    [{ prompt: 'see </image>' }, /^messages: /],
  ])('warns of %j by name', (options, warning) => {
    expect(warningsOf(options)).toEqual([expect.stringMatching(warning)])
  })

  test('warns of nothing where all is as in this process', () => {
    const options = {
      temperature: 1,
      topK: 5,
      promptLookup: false,
      logprobs: true,
      stop: 'a',
      prompt: 'a < b | c > d',
    }
    expect(warningsOf(options)).toEqual([])
  })
})

describe("the request to a server that knows OpenAI's fields only", () => {
  test('has no others', () => {
    expect(Object.keys(bodyOf({ temperature: 1, topP: 0.5, presencePenalty: 1 }, 'openai')).sort()).toEqual([
      'max_tokens',
      'messages',
      'model',
      'presence_penalty',
      'seed',
      'stream',
      'stream_options',
      'temperature',
      'top_p',
    ])
  })

  test.each<[GenerateOptions]>([
    [{ temperature: 1, topK: 5 }],
    [{ temperature: 1, minP: 0.5 }],
    [{ repetitionPenalty: 1.1 }],
    [{ minTokens: 2 }],
    [{ regex: 'a' }],
    [{ choices: ['a'] }],
    [{ images: 'a.png', tiles: { maxTiles: 4 } }],
  ])('can not have %j', options => {
    expect(() => bodyOf(options, 'openai')).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  })

  test('has one tile as detail: low', () => {
    const one = parseGenerateCall({ prompt: 'x', images: ['a.png', 'b.png'], tiles: { maxTiles: 1 } }, 0)
    expect(wireTiles(one.request, 'openai')).toEqual({ details: ['low', 'low'] })
  })

  test('has nothing of what does nothing at temperature 0', () => {
    expect(bodyOf({ topK: 5 }, 'openai')).not.toHaveProperty('top_k')
  })
})

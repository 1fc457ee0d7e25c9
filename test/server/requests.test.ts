import { describe, expect, test } from 'vitest'
import type { GenerateOptions } from '../../src/nvlm/generate-options.js'
import { createServer } from '../../src/server/create-server.js'
import type { ServedModel } from '../../src/server/served-model.js'
import { chatRequest, fakeModel } from './fake-model.js'

/** A model that writes down what it is asked. */
function listeningModel(): ServedModel & { readonly asked: GenerateOptions[] } {
  const model = fakeModel()
  const asked: GenerateOptions[] = []
  return {
    info: model.info,
    asked,
    countTokens: options => model.countTokens(options),
    generate(options) {
      const { signal: _, ...rest } = options
      asked.push(rest)
      return model.generate({ messages: rest.messages })
    },
  }
}

async function ask(fields: object, settings = {}) {
  const model = listeningModel()
  const response = await createServer(model, settings).fetch(chatRequest(fields))
  const body = (await response.json()) as { error: Record<string, string> }
  return { status: response.status, body, asked: model.asked }
}

const messages = [{ role: 'user', content: 'hi' }]
const tools = [{ type: 'function', function: { name: 'paint', description: 'Paint', strict: true } }]

describe('fields of a chat completion', () => {
  test.each([
    [
      { temperature: 0.5, top_p: 0.9, min_p: 0.1 },
      { temperature: 0.5, topP: 0.9, minP: 0.1 },
    ],
    [{ top_k: 40 }, { topK: 40 }],
    [{ top_k: -1 }, {}],
    [{ max_tokens: 5 }, { maxTokens: 5 }],
    [{ max_completion_tokens: 6 }, { maxTokens: 6 }],
    [
      { presence_penalty: 1, frequency_penalty: -1 },
      { presencePenalty: 1, frequencyPenalty: -1 },
    ],
    [
      { repetition_penalty: 1.1, min_tokens: 2 },
      { repetitionPenalty: 1.1, minTokens: 2 },
    ],
    [{ logit_bias: { 5: -100 } }, { logitBias: { 5: -100 } }],
    [
      { seed: 3, stop: ['a', 'b'] },
      { seed: 3, stop: ['a', 'b'] },
    ],
    [{ logprobs: true }, { logprobs: 0 }],
    [{ logprobs: true, top_logprobs: 4 }, { logprobs: 4 }],
    [{ logprobs: false, temperature: null, user: 'me', service_tier: 'auto', store: false }, {}],
    [{ response_format: { type: 'text' } }, {}],
    [{ response_format: { type: 'json_object' } }, { schema: { type: 'object' } }],
    [
      { response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'array' } } } },
      { schema: { type: 'array' } },
    ],
    [{ structured_outputs: { regex: 'a+' } }, { regex: 'a+' }],
    [{ structured_outputs: { choice: ['a', 'b'] } }, { choices: ['a', 'b'] }],
    [{ structured_outputs: { json: { type: 'null' } } }, { schema: { type: 'null' } }],
    [
      { tools },
      { tools: { paint: { description: 'Paint', parameters: { type: 'object', properties: {} } } } },
    ],
  ])('become options of generate (%j)', async (fields, options) => {
    const { status, asked } = await ask(fields)
    expect(status).toBe(200)
    expect(asked).toEqual([{ messages, ...options }])
  })

  test('about pictures go with each picture', async () => {
    const url = 'data:image/png;base64,MQ=='
    const content = ['auto', 'low', 'high'].map(detail => ({ type: 'image_url', image_url: { url, detail } }))
    const { asked } = await ask({
      messages: [{ role: 'user', content }],
      mm_processor_kwargs: { max_dynamic_patch: 4 },
    })
    const tiles = [{ maxTiles: 4 }, { maxTiles: 1, minTiles: 1 }, {}]
    expect(asked[0]!.messages).toEqual([
      { role: 'user', content: tiles.map(tiles => ({ type: 'image', image: url, tiles })) },
    ])
  })

  test.each([
    ['messages', { messages: [] }],
    ['messages[0].content', { messages: [{ role: 'user' }] }],
    ['messages[0].content[0].type', { messages: [{ role: 'user', content: [{ type: 'input_audio' }] }] }],
    ['messages[0].name', { messages: [{ role: 'user', content: 'x', name: 'Ann' }] }],
    ['messages[0].content', { messages: [{ role: 'assistant', content: null }] }],
    ['n', { n: 0 }],
    ['n', { n: 9 }],
    ['n', { n: 1e9 }],
    ['top_logprobs', { top_logprobs: 2 }],
    ['top_logprobs', { logprobs: true, top_logprobs: 21 }],
    ['max_tokens', { max_tokens: 3, max_completion_tokens: 4 }],
    ['stream_options', { stream_options: {} }],
    ['seed', { seed: -1 }],
    ['stop', { stop: Array.from({ length: 17 }, () => 'x') }],
    ['tool_choice', { tool_choice: 'required' }],
    ['tool_choice', { tools, tool_choice: { type: 'function', function: { name: 'dig' } } }],
    ['tools', { tools: [...tools, ...tools] }],
    ['response_format.type', { response_format: { type: 'grammar' } }],
    ['response_format.json_schema.name', { response_format: { type: 'json_schema', json_schema: {} } }],
    ['structured_outputs', { structured_outputs: { regex: 'a', choice: ['a'] } }],
    ...Object.entries({
      audio: { voice: 'x' },
      functions: [{}],
      function_call: 'auto',
      modalities: ['text', 'audio'],
      prediction: {},
      reasoning_effort: 'high',
      service_tier: 'flex',
      store: true,
      verbosity: 'low',
      web_search_options: {},
      beam_width: 1,
    }).map(([name, value]) => [name, { [name]: value }] as const),
  ] as readonly (readonly [string, object])[])(
    'that are wrong or can not be done are refused by name (%s)',
    async (param, fields) => {
      const { status, body, asked } = await ask(fields)
      expect({ status, asked }).toEqual({ status: 400, asked: [] })
      expect(body.error).toMatchObject({ param, type: 'invalid_request_error', code: expect.any(String) })
      expect(body.error.message).toContain(param.split(/[.[]/)[0]!)
    },
  )

  test.each([
    ['http://example.com/a.png', 'unsupported_parameter', /does not fetch/],
    ['file:///etc/passwd', 'unsupported_parameter', /does not read local files/],
    ['/etc/passwd', 'invalid_value', /data URL/],
    ['data:image/svg+xml;base64,AAAA', 'invalid_value', /data URL/],
    ['ftp://example.com/a.png', 'unsupported_parameter', /data URL/],
  ])('that name pictures elsewhere are refused (%s)', async (url, code, message) => {
    const content = [{ type: 'image_url', image_url: { url } }]
    const { status, body, asked } = await ask({ messages: [{ role: 'user', content }] })
    expect({ status, asked }).toEqual({ status: 400, asked: [] })
    expect(body.error).toMatchObject({ code, param: 'messages[0].content[0]' })
    expect(body.error.message).toMatch(message)
  })

  test('may name pictures elsewhere where the server says so', async () => {
    const bytes = Uint8Array.of(49)
    const sources = { fetchImage: async () => bytes, readImage: async () => bytes }
    const content = ['https://example.com/a.png', 'file:///a.png'].map(url => ({
      type: 'image_url',
      image_url: { url },
    }))
    const { status, asked } = await ask({ messages: [{ role: 'user', content }] }, sources)
    expect(status).toBe(200)
    expect(asked[0]!.messages).toMatchObject([{ content: [{ image: bytes }, { image: bytes }] }])
  })

  test('name sixteen pictures at most', async () => {
    const part = { type: 'image_url', image_url: { url: 'data:image/png;base64,MQ==' } }
    const { status, body } = await ask({
      messages: [{ role: 'user', content: Array.from({ length: 17 }, () => part) }],
    })
    expect([status, body.error.param]).toEqual([400, 'messages[0].content[16]'])
  })
})

describe('bodies', () => {
  const server = createServer(fakeModel(), { maxBodyBytes: 1000, bodyTimeoutMs: 50 })
  const send = async (body: string | ReadableStream, headers: Record<string, string> = {}) => {
    const response = await server.fetch(chatRequest({}, { body, headers, duplex: 'half' } as RequestInit))
    return {
      status: response.status,
      code: ((await response.json()) as { error?: { code: string } }).error?.code,
    }
  }

  test.each([
    ['{', 400, 'invalid_json'],
    ['{"a":1,"a":2}', 400, 'invalid_json'],
    ['['.repeat(900), 400, 'invalid_json'],
    ['[]', 400, 'invalid_value'],
    ['x'.repeat(1001), 413, 'body_too_large'],
  ])('that can not be read are refused (%#)', async (body, status, code) => {
    expect(await send(body)).toEqual({ status, code })
  })

  test('of another type are refused, so that pages of other origins must ask first', async () => {
    expect(await send('{}', { 'content-type': 'text/plain' })).toMatchObject({ status: 415 })
  })

  test('without a length are cut at the limit, and slow ones at the time', async () => {
    const endless = new ReadableStream({ pull: controller => controller.enqueue(new Uint8Array(100)) })
    expect(await send(endless)).toMatchObject({ status: 413 })
    expect(await send(new ReadableStream({ pull: () => new Promise(() => {}) }))).toMatchObject({
      status: 408,
    })
  })
})

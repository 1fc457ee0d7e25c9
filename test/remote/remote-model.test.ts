import { describe, expect, test, vi } from 'vitest'
import * as z from 'zod'
import { NVLM } from '../../src/node.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { answerText, answerWith, openStream } from '../support/fake-chat-server.js'
import { openRemote, serve } from './open-remote.js'
import { VLLM_LOGPROBS, VLLM_REFUSALS, VLLM_TEXT, VLLM_TOOL_CALL } from './vllm-wire.js'

const SIGN = 'examples/pictures/sign.png'

/** A server that gives these events to every chat. */
const serveEvents = (events: readonly string[]) =>
  serve(({ path }, response) => {
    if (path !== '/v1/chat/completions') return
    openStream(response)
    response.end(events.map(event => `data: ${event}\n\n`).join(''))
  })

const serveText = (text: string) =>
  serve(({ path }, response) => {
    if (path === '/v1/chat/completions') answerText(response, text)
  })

describe('a remote model', () => {
  test('is an NVLM like any other: iterated, awaited, listened to', async () => {
    const server = await serveEvents(VLLM_TEXT)
    const nvlm = await NVLM.load({ remote: { baseURL: server.baseURL, apiKey: 'sk-1' } })
    expect(nvlm.info).toMatchObject({
      id: 'nvidia/NVLM-D-72B',
      family: 'remote',
      contextLength: 32_768,
      device: { decoder: 'remote' },
    })
    const reply = nvlm.generate('What does the sign say?', { images: [SIGN], maxTokens: 9 })
    const tokens: [number, string][] = []
    reply.on('token', ({ id, text }) => tokens.push([id, text]))
    const pieces: string[] = []
    for await (const text of reply) pieces.push(text)
    expect(pieces.join('')).toBe('OPEN DAY')
    const { timings, ...result } = await reply
    expect(result).toEqual({
      text: 'OPEN DAY',
      tokenIds: [3067, 965, 24337, 151645],
      finishReason: 'stop',
      usage: {
        promptTokens: 1810,
        imageTokens: 1792,
        cachedTokens: 1792,
        completionTokens: 4,
        draftTokens: 0,
        acceptedDraftTokens: 0,
        totalTokens: 1814,
      },
      device: 'remote',
      warnings: [],
      modelId: 'nvidia/NVLM-D-72B',
    })
    expect(timings.timeToFirstTokenMs).toBeGreaterThan(0)
    expect(tokens).toEqual([
      [3067, 'OP'],
      [965, ''],
      [24337, 'EN DAY'],
      [151645, ''],
    ])
    const [chat] = server.chats
    expect(chat?.headers.authorization).toBe('Bearer sk-1')
    expect(chat?.body).toMatchObject({
      model: 'nvidia/NVLM-D-72B',
      stream: true,
      max_tokens: 9,
      temperature: 0,
    })
    await nvlm.dispose()
    expect(() => nvlm.generate('x')).toThrow(/disposed/)
  })

  test('gives parts, streams and a response', async () => {
    const { nvlm } = await openRemote(await serveText('one two '))
    const parts: string[] = []
    for await (const { type } of nvlm.generate('x').parts) parts.push(type)
    expect([...new Set(parts)]).toEqual(['start', 'text', 'finish'])
    expect(await nvlm.generate('x').toResponse({ format: 'text' }).text()).toBe('one two')
  })

  test('strips answers as a model in this process does, and leaves formatted ones as they are', async () => {
    const { nvlm } = await openRemote(await serveText(' a b \n'))
    expect((await nvlm.generate('x')).text).toBe('a b')
    expect((await nvlm.generate('x', { regex: '[ ab\\n]*' })).text).toBe(' a b \n')
  })

  test('holds an answer to a schema, and checks that the server did', async () => {
    const server = await serveText('{"sign": "OPEN"}')
    const { nvlm } = await openRemote(server)
    const good = await nvlm.generate('x', { schema: z.object({ sign: z.string() }) })
    expect(good.object).toEqual({ sign: 'OPEN' })
    expect(server.chats[0]?.body.response_format).toEqual({
      type: 'json_schema',
      json_schema: {
        name: 'answer',
        strict: true,
        schema: expect.objectContaining({
          properties: { sign: { type: 'string' } },
          additionalProperties: false,
        }),
      },
    })
    const bad = nvlm.generate('x', { schema: z.object({ sign: z.number() }) })
    await expect(bad).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringMatching(/did not hold/),
    })
    await expect(nvlm.generate('x', { choices: ['yes'] })).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' })
    await expect(nvlm.generate('x', { regex: '\\d+' })).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' })
    expect(server.chats[2]?.body.structured_outputs).toEqual({ choice: ['yes'] })
    expect(server.chats[3]?.body.structured_outputs).toEqual({ regex: '\\d+' })
  })

  test('says of a formatted answer that was cut off that it was', async () => {
    const server = await serve(({ path }, response) => {
      if (path === '/v1/chat/completions') answerWith(response, [{ text: '{"a": ' }, { finish: 'length' }])
    })
    const { nvlm } = await openRemote(server)
    await expect(nvlm.generate('x', { schema: { type: 'object' } })).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining('cut off'),
    })
  })

  test('says of a call that was asked for and is not there that it is not', async () => {
    const { nvlm } = await openRemote(await serveText('I would rather talk.'))
    const tools = { price: { parameters: z.object({ of: z.string() }) } }
    await expect(nvlm.generate('x', { tools, toolChoice: 'required' })).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
    })
  })

  test('calls tools, and goes on with what they gave', async () => {
    const answers = [VLLM_TOOL_CALL, VLLM_TEXT]
    const server = await serve(({ path }, response) => {
      if (path !== '/v1/chat/completions') return
      openStream(response)
      response.end(
        answers
          .shift()!
          .map(event => `data: ${event}\n\n`)
          .join(''),
      )
    })
    const { nvlm } = await openRemote(server)
    const execute = vi.fn(() => 5)
    const parameters = z.object({ of: z.string() })
    const result = await nvlm.generate('What is it?', {
      tools: { price: { description: 'A price', parameters, execute } },
    })
    expect(execute).toHaveBeenCalledWith({ of: '<tea>' }, expect.anything())
    expect(result.text).toBe('Let me look.\nOPEN DAY')
    expect(result.toolResults).toMatchObject([{ name: 'price', result: 5 }])
    const [first, second] = server.chats.map(({ body }) => body)
    expect(first).toMatchObject({
      tool_choice: 'auto',
      tools: [{ type: 'function', function: { name: 'price', description: 'A price' } }],
    })
    const id = result.toolCalls[0]!.id
    expect(second?.messages).toMatchObject([
      { role: 'user' },
      {
        role: 'assistant',
        content: 'Let me look.',
        tool_calls: [{ id, type: 'function', function: { name: 'price', arguments: '{"of":"<tea>"}' } }],
      },
      { role: 'tool', tool_call_id: id, content: '5' },
    ])
  })

  test('gives log-probabilities', async () => {
    const { nvlm } = await openRemote(await serveEvents(VLLM_LOGPROBS))
    const { logprobs, warnings } = await nvlm.generate('x', { logprobs: 2 })
    expect(logprobs).toEqual([
      {
        id: 9454,
        token: 'Yes',
        logprob: -0.25,
        bytes: [89, 101, 115],
        top: [
          { id: 9454, token: 'Yes', logprob: -0.25, bytes: [89, 101, 115] },
          { id: -1, token: 'No', logprob: -1.5, bytes: [78, 111] },
        ],
      },
    ])
    expect(warnings).toEqual([expect.stringMatching(/^logprobs: /)])
  })

  test('chats, with the pictures in every turn', async () => {
    const server = await serveText('A sign.')
    const { nvlm } = await openRemote(server)
    const chat = nvlm.chat({ system: 'Be brief.' })
    await chat.send('What is this?', { images: [SIGN] })
    await chat.send('And what does it say?')
    const roles = server.chats[1]?.body.messages?.map(({ role }) => role)
    expect(roles).toEqual(['system', 'user', 'assistant', 'user'])
    expect(JSON.stringify(server.chats[1]?.body.messages?.[1])).toContain('data:image/png;base64,')
  })

  test('runs answers of servers that tell no tokens through output filters', async () => {
    const server = await serve(({ path }, response) => {
      if (path === '/v1/chat/completions')
        answerWith(response, [{ text: 'the price is 5' }, { finish: 'stop' }])
    })
    const { nvlm } = await openRemote(server)
    const hide = {
      async *output(deltas: AsyncIterable<string>) {
        for await (const delta of deltas) yield delta.replaceAll(/\d/g, '*')
      },
    }
    const reply = nvlm.generate('x', { filters: [hide] })
    const pieces: string[] = []
    for await (const text of reply) pieces.push(text)
    expect(pieces.join('')).toBe('the price is *')
    expect(await reply).toMatchObject({ text: 'the price is *', tokenIds: [] })
  })

  test('stops the server when the caller has enough', async () => {
    const server = await serve(({ path }, response) => {
      if (path !== '/v1/chat/completions') return
      openStream(response)
      response.write('data: {"choices":[{"delta":{"content":"word "},"token_ids":[1]}]}\n\n')
    })
    const { nvlm } = await openRemote(server)
    const reply = nvlm.generate('x')
    for await (const _ of reply) break
    await server.chats[0]?.left
    expect(await reply).toMatchObject({ finishReason: 'aborted', text: 'word' })

    const stopping = new AbortController()
    const second = nvlm.generate('x', { signal: stopping.signal })
    second.once('text', () => stopping.abort('enough'))
    await expect(second).rejects.toBe('enough')
    await server.chats[1]?.left

    const third = nvlm.generate('x')
    third.once('text', () => void nvlm.dispose())
    await expect(third).rejects.toMatchObject({ code: 'DISPOSED' })
    await server.chats[2]?.left
  })

  test('asks for fewer tokens where no number was asked for', async () => {
    const [status, body] = VLLM_REFUSALS.context
    const server = await serve((call, response) => {
      if (call.path !== '/v1/chat/completions') return
      if (call.body.max_tokens === undefined) answerText(response, 'short')
      else response.writeHead(status, { 'content-type': 'application/json' }).end(body)
    })
    const { nvlm } = await openRemote(server)
    expect(await nvlm.generate('x')).toMatchObject({
      text: 'short',
      warnings: [expect.stringMatching(/^maxTokens: /)],
    })
    await expect(nvlm.generate('x', { maxTokens: 99 })).rejects.toMatchObject({ code: 'CONTEXT_OVERFLOW' })
  })

  test.each([
    ['model', 'MODEL_NOT_FOUND', 'does not exist'],
    ['key', 'UNAUTHORIZED', 'Unauthorized'],
    ['tiles', 'UNSUPPORTED', '--trust-request-mm-kwargs'],
    ['tools', 'UNSUPPORTED', '--tool-call-parser'],
  ] as const)('says what a refusal means: %s', async (name, code, words) => {
    const [status, body] = VLLM_REFUSALS[name]
    const server = await serve(({ path }, response) => {
      if (path === '/v1/chat/completions') response.writeHead(status).end(body)
    })
    const { nvlm } = await openRemote(server)
    await expect(nvlm.generate('x')).rejects.toMatchObject({
      code,
      message: expect.stringContaining(words),
      details: { status },
    })
    expect(server.chats).toHaveLength(1)
  })

  test('counts the tokens of a text by vLLM, and says of pictures that it can not', async () => {
    const server = await serve((call, response) => {
      if (call.path === '/tokenize')
        response.end(JSON.stringify({ count: 12, max_model_len: 99, tokens: [] }))
    })
    const { nvlm } = await openRemote(server)
    expect(await nvlm.countTokens({ prompt: 'hi', system: 'be' })).toMatchObject({
      promptTokens: 12,
      totalTokens: 12,
    })
    expect(server.calls.at(-1)?.body).toMatchObject({ messages: [{ role: 'system' }, { role: 'user' }] })
    await expect(nvlm.countTokens({ prompt: 'hi', images: [SIGN] })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    })
    const other = await serve(({ path }, response) => {
      if (path === '/tokenize') response.writeHead(404).end()
    })
    const plain = await openRemote(other)
    await expect(plain.nvlm.countTokens({ prompt: 'hi' })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })

  test('refuses what only a model in this process can do', async () => {
    const { nvlm } = await openRemote(await serveText('x'))
    await expect(nvlm.prepareImage(SIGN)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(nvlm.embed(SIGN)).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    await expect(nvlm.generate('x', { noRepeatNgram: 3 })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    const prepared = { kind: 'prepared-image', id: '1' } as const
    await expect(nvlm.generate('x', { images: prepared })).rejects.toMatchObject({ code: 'IMAGE_INPUT' })
  })
})

describe('loading a remote model', () => {
  test('checks the options before anything is sent', async () => {
    const load = (remote: object, rest = {}) => NVLM.load({ remote, ...rest } as never)
    await expect(load({})).rejects.toThrow(/remote.baseURL/)
    await expect(load({ baseURL: 'localhost:8000' })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await expect(load({ baseURL: 'http://me:pw@host/v1' })).rejects.toThrow(/user name or password/)
    await expect(load({ baseURL: 'http://h/v1', foo: 1 })).rejects.toThrow(/remote.foo/)
    await expect(load({ baseURL: 'http://h/v1' }, { device: 'cpu' })).rejects.toThrow(
      /unknown option "device"/,
    )
    await expect(load({ baseURL: 'http://h/v1', apiKey: 'a\r\nb' })).rejects.toThrow(/remote.apiKey/)
  })

  test('finds the model, or says which ones there are', async () => {
    const server = await serve(({ path }, response) => {
      if (path === '/v1/models') return response.end('{"data":[{"id":"a"},{"id":"b"}]}')
      return undefined
    })
    await expect(openRemote(server)).rejects.toThrow(/has a, b/)
    await expect(openRemote(server, { model: 'c' })).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' })
    const { nvlm } = await openRemote(server, { model: 'b' })
    expect(nvlm.info).toMatchObject({ id: 'b', contextLength: Infinity })
  })

  test('warns of a key on an open line, and tells nobody the key', async () => {
    const onWarning = vi.fn()
    const fetch = (async () => Response.json({ data: [{ id: 'a' }] })) as typeof globalThis.fetch
    await NVLM.load({ remote: { baseURL: 'http://gpu-1:8000/v1', apiKey: 'sk-secret', fetch }, onWarning })
    expect(onWarning).toHaveBeenCalledWith(expect.stringContaining('http://gpu-1:8000'))
    expect(onWarning.mock.calls.flat().join()).not.toContain('sk-secret')
  })

  test('is heard on the channels, as other loading is', async () => {
    const { subscribe, unsubscribe } = await import('node:diagnostics_channel')
    const heard: unknown[] = []
    const listen = (message: unknown) => heard.push(message)
    subscribe('nvlm:load', listen)
    await openRemote(await serveText('x'))
    unsubscribe('nvlm:load', listen)
    expect(nodePlatform.diagnostics.channel('nvlm:load').hasSubscribers).toBe(false)
    expect(heard).toMatchObject([{ modelId: 'nvidia/NVLM-D-72B', info: { family: 'remote' } }])
  })
})

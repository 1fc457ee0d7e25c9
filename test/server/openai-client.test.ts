import OpenAI from 'openai'
import { LengthFinishReasonError } from 'openai/error'
import { zodFunction, zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { SIGN, SIGN_ANSWER, SIGN_MESSAGES, SIGN_QUESTION, serveTiny } from './served-tiny.js'

/** The official client against this server, with a key. */
const KEY = 'a key of the test'
let served: Awaited<ReturnType<typeof serveTiny>>
let client: OpenAI
const model = 'nvlm-tiny'

beforeAll(async () => {
  served = await serveTiny({ apiKey: KEY })
  client = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: KEY, maxRetries: 0 })
})
afterAll(() => served.close())

const colour = z.object({ colour: z.enum(['red', 'blue']) })

describe("OpenAI's client, chat completions", () => {
  test('lists the model and finds it by name', async () => {
    const { data } = await client.models.list()
    expect(data.map(({ id }) => id)).toEqual([model])
    expect((await client.models.retrieve(model)).object).toBe('model')
    await expect(client.models.retrieve('other/model')).rejects.toThrow(OpenAI.NotFoundError)
  })

  test('reads a picture', async () => {
    const { data, request_id: requestId } = await client.chat.completions
      .create({ model, messages: SIGN_MESSAGES })
      .withResponse()
    expect(data.choices).toMatchObject([
      { index: 0, finish_reason: 'stop', message: { role: 'assistant', content: SIGN_ANSWER } },
    ])
    expect(data.usage?.total_tokens).toBe(data.usage!.prompt_tokens + data.usage!.completion_tokens)
    expect(requestId).toMatch(/^req_[0-9a-f]{32}$/)
  })

  test('streams, with usage at the end', async () => {
    const stream = await client.chat.completions.create({
      model,
      messages: SIGN_MESSAGES,
      stream: true,
      stream_options: { include_usage: true },
    })
    const chunks = []
    for await (const chunk of stream) chunks.push(chunk)
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(SIGN_ANSWER)
    expect(chunks.length).toBeGreaterThan(4)
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop')
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 65 } })
  })

  test('streams through the helper', async () => {
    const runner = client.chat.completions.stream({ model, messages: SIGN_MESSAGES })
    const snapshots: string[] = []
    runner.on('content', (_, snapshot) => snapshots.push(snapshot))
    expect(await runner.finalContent()).toBe(SIGN_ANSWER)
    expect(snapshots.at(-1)).toBe(SIGN_ANSWER)
  })

  test('holds the answer to a schema, and parses it', async () => {
    const { choices } = await client.chat.completions.parse({
      model,
      messages: [{ role: 'user', content: 'Which colour?' }],
      response_format: zodResponseFormat(colour, 'colour'),
    })
    expect(['red', 'blue']).toContain(choices[0]!.message.parsed?.colour)
    const again = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'Which?' }, choices[0]!.message, { role: 'user', content: 'And?' }],
      max_tokens: 2,
    })
    expect(again.choices).toHaveLength(1)
  })

  test('says that an answer was cut off inside of its form', async () => {
    const list = z.object({ words: z.array(z.string()).min(40) })
    const asking = client.chat.completions.parse({
      model,
      messages: [{ role: 'user', content: 'List' }],
      response_format: zodResponseFormat(list, 'list'),
      max_completion_tokens: 8,
    })
    await expect(asking).rejects.toThrow(LengthFinishReasonError)
  })

  test('calls tools, and reads what they gave back', async () => {
    const tools = [zodFunction({ name: 'paint', parameters: colour, description: 'Paint the wall' })]
    const messages = [{ role: 'user' as const, content: 'Paint it' }]
    const first = await client.chat.completions.parse({ model, messages, tools, tool_choice: 'required' })
    const { message, finish_reason: reason } = first.choices[0]!
    expect(reason).toBe('tool_calls')
    const call = message.tool_calls![0]!
    if (call.type !== 'function') throw new Error('expected a function call')
    expect(call.function.name).toBe('paint')
    expect(colour.parse(call.function.parsed_arguments)).toEqual(JSON.parse(call.function.arguments))
    const { choices } = await client.chat.completions.create({
      model,
      messages: [...messages, message, { role: 'tool', tool_call_id: call.id, content: 'done' }],
      tools,
      max_tokens: 4,
    })
    expect(choices[0]!.message.role).toBe('assistant')
  })

  test('streams tool calls', async () => {
    const runner = client.chat.completions.stream({
      model,
      messages: [{ role: 'user', content: 'Paint it' }],
      tools: [zodFunction({ name: 'paint', parameters: colour })],
      tool_choice: { type: 'function', function: { name: 'paint' } },
      parallel_tool_calls: false,
    })
    const { choices } = await runner.finalChatCompletion()
    expect(choices[0]!.finish_reason).toBe('tool_calls')
    expect(choices[0]!.message.tool_calls).toMatchObject([{ type: 'function', function: { name: 'paint' } }])
  })

  test('gives several answers, repeatable, with log-probabilities', async () => {
    const body = {
      model,
      messages: SIGN_MESSAGES,
      n: 3,
      temperature: 1.5,
      seed: 7,
      max_tokens: 4,
      logprobs: true,
      top_logprobs: 2,
    }
    const [one, two] = [
      await client.chat.completions.create(body),
      await client.chat.completions.create({ ...body, stream: true }),
    ]
    const streamed = ['', '', '']
    const logprobs: number[][] = [[], [], []]
    for await (const { choices } of two) {
      for (const { index, delta, logprobs: some } of choices) {
        streamed[index] += delta.content ?? ''
        logprobs[index]!.push(...(some?.content ?? []).map(({ logprob }) => logprob))
      }
    }
    expect(streamed).toEqual(one.choices.map(({ message }) => message.content))
    expect(logprobs).toEqual(
      one.choices.map(({ logprobs }) => logprobs!.content!.map(token => token.logprob)),
    )
    expect(one.choices[0]!.logprobs!.content![0]!.top_logprobs).toHaveLength(2)
    expect(one.usage!.completion_tokens).toBe(logprobs.flat().length)
  })

  test.each([
    ['an unknown model', { model: 'gpt-4o' }, OpenAI.NotFoundError, 'model_not_found', 'model'],
    ['an unknown field', { beam_width: 3 }, OpenAI.BadRequestError, 'unknown_parameter', 'beam_width'],
    ['audio', { modalities: ['audio'] }, OpenAI.BadRequestError, 'unsupported_parameter', 'modalities'],
    ['a wrong value', { temperature: 3 }, OpenAI.BadRequestError, 'invalid_value', 'temperature'],
    ['too many answers', { n: 9 }, OpenAI.BadRequestError, 'invalid_value', 'n'],
    [
      'too long an answer',
      { max_tokens: 99_999 },
      OpenAI.BadRequestError,
      'context_length_exceeded',
      'messages',
    ],
  ])('gets a typed error for %s', async (_, change, type, code, param) => {
    for (const stream of [false, true]) {
      const body = { model, messages: SIGN_MESSAGES, stream, ...change } as never
      const error = await client.chat.completions.create(body).catch((error: unknown) => error)
      expect(error).toBeInstanceOf(type)
      expect(error).toMatchObject({ code, param })
    }
  })

  test('gets a typed error for a wrong key', async () => {
    const stranger = new OpenAI({ baseURL: `${served.url}/v1`, apiKey: 'guess', maxRetries: 0 })
    await expect(stranger.models.list()).rejects.toThrow(OpenAI.AuthenticationError)
  })

  test('that leaves a stream stops the compute', async () => {
    const stream = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'Tell' }],
      stream: true,
      max_tokens: 1500,
      min_tokens: 1500,
    } as OpenAI.ChatCompletionCreateParamsStreaming)
    for await (const _ of stream) break
    const health = async () =>
      (await fetch(`${served.url}/health`, { headers: { authorization: `Bearer ${KEY}` } })).json()
    await expect.poll(health, { timeout: 1000 }).toMatchObject({ running: 0, waiting: 0 })
  })
})

describe("OpenAI's client, responses", () => {
  const input = [
    {
      role: 'user' as const,
      content: [
        { type: 'input_image' as const, image_url: SIGN, detail: 'auto' as const },
        { type: 'input_text' as const, text: SIGN_QUESTION },
      ],
    },
  ]

  test('reads a picture', async () => {
    const response = await client.responses.create({ model, input, instructions: 'Read.' })
    expect(response.status).toBe('completed')
    expect(response.output_text).toMatch(/^COFFEE/)
    expect(response.usage!.total_tokens).toBeGreaterThan(60)
  })

  test('streams', async () => {
    const stream = client.responses.stream({ model, input })
    const types: string[] = []
    let text = ''
    for await (const event of stream) {
      types.push(event.type)
      if (event.type === 'response.output_text.delta') text += event.delta
    }
    expect(text).toBe(SIGN_ANSWER)
    expect((await stream.finalResponse()).output_text).toBe(SIGN_ANSWER)
    expect([types[0], types.at(-1)]).toEqual(['response.created', 'response.completed'])
  })

  test('holds the answer to a schema, and parses it', async () => {
    const text = { format: zodTextFormat(colour, 'colour') }
    const response = await client.responses.parse({ model, input: 'Which colour?', text })
    expect(['red', 'blue']).toContain(response.output_parsed?.colour)
    const cut = await client.responses.create({ model, input: 'Tell', max_output_tokens: 1 })
    expect(cut).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } })
  })

  test('calls functions, and reads what they gave back', async () => {
    const tools = [
      {
        type: 'function' as const,
        name: 'paint',
        parameters: {
          type: 'object',
          properties: { colour: { enum: ['red'] } },
          required: ['colour'],
          additionalProperties: false,
        },
        strict: true,
      },
    ]
    const question = { role: 'user' as const, content: 'Paint it' }
    for (const stream of [false, true]) {
      const body = { model, input: [question], tools, tool_choice: 'required' as const }
      const first = stream
        ? await client.responses.stream(body).finalResponse()
        : await client.responses.create(body)
      const call = first.output.find(item => item.type === 'function_call')
      if (call?.type !== 'function_call') throw new Error('expected a function call')
      expect(call).toMatchObject({ name: 'paint', arguments: expect.stringMatching(/"red"/) })
      const result = { type: 'function_call_output' as const, call_id: call.call_id, output: 'done' }
      const second = await client.responses.create({
        model,
        input: [question, ...first.output, result] as OpenAI.Responses.ResponseInput,
        tools,
        max_output_tokens: 3,
      })
      expect(second.output.length).toBeGreaterThan(0)
    }
  })

  test('gets a typed error, also for what needs a store', async () => {
    const asking = client.responses.create({ model, input: 'x', previous_response_id: 'resp_1' })
    await expect(asking).rejects.toMatchObject({ status: 400, param: 'previous_response_id' })
    await expect(client.responses.create({ model, input: 'x', store: true })).rejects.toThrow(/stored/)
  })
})

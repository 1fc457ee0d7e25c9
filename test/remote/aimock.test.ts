import { LLMock } from '@copilotkit/aimock'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { NVLM } from '../../src/node.js'
import type { RemoteOptions } from '../../src/remote/remote-options.js'

/** A server that others have written (npm `@copilotkit/aimock`, checked daily against OpenAI's own). */
const mock = new LLMock({ port: 0, chunkSize: 3 })

function load(options: Partial<RemoteOptions> = {}): Promise<NVLM> {
  const remote = { baseURL: `${mock.url}/v1`, model: 'gpt-4o', dialect: 'openai', apiKey: 'k' } as const
  return NVLM.load({ remote: { ...remote, ...options } })
}

beforeAll(async () => {
  mock.onMessage('What does the sign say?', { content: 'It says OPEN DAY.' })
  mock.onMessage('as JSON', { content: '{"sign":"OPEN"}' })
  mock.onMessage('How warm', {
    content: 'Looking.',
    toolCalls: [{ name: 'weather', arguments: '{"city":"Oslo"}' }],
  })
  await mock.start()
})
afterAll(() => mock.stop())

describe('against aimock', () => {
  test('a picture and a question stream an answer with its usage', async () => {
    await using nvlm = await load()
    const reply = nvlm.generate('What does the sign say?', { images: 'examples/pictures/sign.png' })
    const pieces: string[] = []
    for await (const piece of reply) pieces.push(piece)
    expect(pieces.join('')).toBe('It says OPEN DAY.')
    const { usage, finishReason, warnings } = await reply
    expect({ finishReason, warnings }).toEqual({ finishReason: 'stop', warnings: [] })
    expect(usage.promptTokens).toBeGreaterThan(0)
    expect(usage.completionTokens).toBeGreaterThan(0)
    const sent = mock.getRequests().at(-1)?.body as { messages: { content: unknown }[] }
    expect(sent.messages[0]?.content).toMatchObject([
      { type: 'image_url', image_url: { url: expect.stringMatching(/^data:image\/png;base64,/) } },
      { type: 'text', text: 'What does the sign say?' },
    ])
  })

  test('an answer in a schema is read', async () => {
    await using nvlm = await load()
    const { object } = await nvlm.generate('as JSON', { schema: z.object({ sign: z.string() }) })
    expect(object).toEqual({ sign: 'OPEN' })
  })

  test('a tool is called', async () => {
    await using nvlm = await load()
    const result = await nvlm.generate('How warm is it?', {
      tools: { weather: { parameters: z.object({ city: z.string() }) } },
    })
    expect(result.finishReason).toBe('tool-calls')
    expect(result.text).toBe('Looking.')
    expect(result.toolCalls).toMatchObject([{ name: 'weather', arguments: { city: 'Oslo' } }])
  })

  test('a server that is busy once is asked again, one that refuses is not', async () => {
    await using nvlm = await load()
    mock.nextRequestError(503, { message: 'overloaded' })
    expect((await nvlm.generate('What does the sign say?')).text).toBe('It says OPEN DAY.')
    mock.nextRequestError(401, { message: 'wrong key' })
    await expect(nvlm.generate('What does the sign say?')).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })

  test('a stream that breaks off is an error', async () => {
    mock.onMessage('break off', { content: 'a long answer' }, { truncateAfterChunks: 3 })
    await using nvlm = await load({ maxRetries: 0 })
    await expect(nvlm.generate('break off')).rejects.toMatchObject({ code: 'REMOTE_FAILED' })
  })
})

import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { HumanMessage } from '@langchain/core/messages'
import { tool as langchainTool } from '@langchain/core/tools'
import { ChatOpenAI } from '@langchain/openai'
import { APICallError, generateText, isStepCount, Output, streamText, tool } from 'ai'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { pictureBytes, SIGN, SIGN_ANSWER, SIGN_QUESTION, serveTiny } from './served-tiny.js'

/** Clients of frameworks, which nobody here wrote, against this server. */
const KEY = 'a key of the test'
let served: Awaited<ReturnType<typeof serveTiny>>

beforeAll(async () => {
  served = await serveTiny({ apiKey: KEY })
})
afterAll(() => served.close())

const colour = z.object({ colour: z.enum(['red', 'blue']) })

describe('the AI SDK, openai-compatible', () => {
  const provider = (apiKey = KEY) =>
    createOpenAICompatible({
      name: 'nvlm',
      baseURL: `${served.url}/v1`,
      apiKey,
      includeUsage: true,
      supportsStructuredOutputs: true,
    })('nvlm-tiny')
  const messages = [
    {
      role: 'user' as const,
      content: [
        { type: 'file' as const, mediaType: 'image/png', data: new Uint8Array(pictureBytes('sign.png')) },
        { type: 'text' as const, text: SIGN_QUESTION },
      ],
    },
  ]

  test('generates text about a picture', async () => {
    const { text, finishReason, usage } = await generateText({ model: provider(), messages })
    expect({ text, finishReason }).toEqual({ text: SIGN_ANSWER, finishReason: 'stop' })
    expect(usage).toMatchObject({ inputTokens: 65, outputTokens: 13 })
  })

  test('streams text', async () => {
    const { textStream, usage } = streamText({ model: provider(), messages })
    const pieces: string[] = []
    for await (const piece of textStream) pieces.push(piece)
    expect(pieces.join('')).toBe(SIGN_ANSWER)
    expect(pieces.length).toBeGreaterThan(2)
    expect((await usage).outputTokens).toBe(13)
  })

  test('makes objects of a schema', async () => {
    const { output } = await generateText({
      model: provider(),
      prompt: 'Which colour?',
      output: Output.object({ schema: colour }),
    })
    expect(['red', 'blue']).toContain(output.colour)
  })

  test('runs tools', async () => {
    const painted: string[] = []
    const paint = tool({
      description: 'Paint the wall',
      inputSchema: colour,
      execute: async ({ colour }) => {
        painted.push(colour)
        return 'done'
      },
    })
    const { steps } = await generateText({
      model: provider(),
      prompt: 'Paint it',
      tools: { paint },
      toolChoice: 'required',
      stopWhen: isStepCount(2),
    })
    expect(painted.length).toBeGreaterThan(0)
    expect(steps[0]!.finishReason).toBe('tool-calls')
    expect(steps[0]!.toolResults[0]).toMatchObject({ toolName: 'paint', output: 'done' })
  })

  test('gets errors with their status', async () => {
    const asking = generateText({ model: provider('guess'), prompt: 'x', maxRetries: 0 })
    const error = await asking.catch((error: unknown) => error)
    expect(APICallError.isInstance(error)).toBe(true)
    expect(error).toMatchObject({ statusCode: 401 })
    const tooLong = generateText({ model: provider(), prompt: 'x', maxOutputTokens: 99_999, maxRetries: 0 })
    await expect(tooLong).rejects.toMatchObject({
      statusCode: 400,
      message: expect.stringMatching(/context/),
    })
  })
})

describe("LangChain's ChatOpenAI", () => {
  const chat = (fields: object = {}) =>
    new ChatOpenAI({
      model: 'nvlm-tiny',
      apiKey: KEY,
      configuration: { baseURL: `${served.url}/v1` },
      maxRetries: 0,
      ...fields,
    })
  const question = new HumanMessage({
    content: [
      { type: 'image_url', image_url: { url: SIGN } },
      { type: 'text', text: SIGN_QUESTION },
    ],
  })

  test('answers about a picture', async () => {
    const answer = await chat().invoke([question])
    expect(answer.content).toBe(SIGN_ANSWER)
    expect(answer.usage_metadata).toMatchObject({ input_tokens: 65, output_tokens: 13 })
  })

  test('streams', async () => {
    const pieces: string[] = []
    for await (const chunk of await chat().stream([question])) pieces.push(String(chunk.content))
    expect(pieces.join('')).toBe(SIGN_ANSWER)
  })

  test.each(['jsonSchema', 'functionCalling'] as const)('makes objects of a schema (%s)', async method => {
    const structured = chat().withStructuredOutput(colour, { name: 'colour', method })
    expect(['red', 'blue']).toContain((await structured.invoke('Which colour?')).colour)
  })

  test('calls tools', async () => {
    const paint = langchainTool(async () => 'done', { name: 'paint', description: 'Paint', schema: colour })
    const answer = await chat().bindTools([paint], { tool_choice: 'paint' }).invoke('Paint it')
    expect(answer.tool_calls).toMatchObject([{ name: 'paint', args: { colour: expect.any(String) } }])
  })

  test('speaks the Responses API', async () => {
    const answer = await chat({ useResponsesApi: true }).invoke([question])
    expect(answer.text).toBe(SIGN_ANSWER)
  })

  test('gets errors with their status', async () => {
    await expect(chat({ apiKey: 'guess' }).invoke('x')).rejects.toMatchObject({ status: 401 })
    await expect(chat({ maxTokens: 99_999 }).invoke('x')).rejects.toThrow(/context/)
  })
})

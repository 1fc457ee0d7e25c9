import { readFile } from 'node:fs/promises'
import {
  AIMessage,
  type AIMessageChunk,
  ChatMessage,
  HumanMessage,
  SystemMessage,
  ToolMessage,
} from '@langchain/core/messages'
import { StringOutputParser } from '@langchain/core/output_parsers'
import { ChatPromptTemplate } from '@langchain/core/prompts'
import { tool } from '@langchain/core/tools'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import * as z from 'zod'
import { ChatNVLM } from '../../src/langchain.js'
import { defaultModelFolder, NVLM } from '../../src/node.js'
import { adder, callText, scripted, toolModel } from '../nvlm/tool-model.js'

const SIGN = 'examples/pictures/sign.png'
const QUESTION = 'What does the sign say?'

describe('LangChain with the tiny model', () => {
  let nvlm: NVLM
  let model: ChatNVLM
  beforeAll(async () => {
    nvlm = await NVLM.load(defaultModelFolder, { worker: false })
    model = new ChatNVLM({ nvlm })
  })
  afterAll(() => nvlm.dispose())

  const withPicture = (block: object) =>
    new HumanMessage({ content: [block as { type: 'text'; text: string }, { type: 'text', text: QUESTION }] })

  test('answers a question about a picture, in every shape that LangChain has for one', async () => {
    const alone = await nvlm.generate(QUESTION, { images: SIGN })
    const data = (await readFile(SIGN)).toString('base64')
    const url = `data:image/png;base64,${data}`
    const blocks = [
      { type: 'image_url', image_url: url },
      { type: 'image_url', image_url: { url } },
      { type: 'image', source_type: 'base64', mime_type: 'image/png', data },
      { type: 'image', source_type: 'url', url },
      { type: 'image', mimeType: 'image/png', data },
      { type: 'image', url },
    ]
    for (const block of blocks) {
      const message = await model.invoke([withPicture(block)])
      expect(message.text).toBe(alone.text)
      expect(message.usage_metadata).toMatchObject({
        input_tokens: alone.usage.promptTokens,
        output_tokens: alone.usage.completionTokens,
        total_tokens: alone.usage.totalTokens,
      })
      expect(message.response_metadata).toMatchObject({ model_name: 'nvlm-tiny', finish_reason: 'stop' })
    }
  })

  test('streams', async () => {
    const url = `data:image/png;base64,${(await readFile(SIGN)).toString('base64')}`
    const message = withPicture({ type: 'image_url', image_url: url })
    const alone = await nvlm.generate(QUESTION, { images: SIGN })
    const onToken = vi.fn()
    let whole: AIMessageChunk | undefined
    let numChunks = 0
    const stream = await model.stream([message], { callbacks: [{ handleLLMNewToken: onToken }] })
    for await (const chunk of stream) {
      numChunks++
      whole = whole?.concat(chunk) ?? chunk
    }
    expect(whole?.text).toBe(alone.text)
    expect(whole?.usage_metadata).toMatchObject({ output_tokens: alone.usage.completionTokens })
    expect(whole?.response_metadata).toMatchObject({ finish_reason: 'stop' })
    expect(numChunks).toBeGreaterThan(2)
    expect(onToken).toHaveBeenCalled()
  })

  test('holds the answer to a schema', async () => {
    const schema = z.object({ item: z.string().max(20), price: z.number() })
    const message = withPicture({ type: 'image', mimeType: 'image/png', data: await readFile(SIGN) })
    const value = await model.withStructuredOutput(schema).invoke([message])
    expect(schema.safeParse(value).success).toBe(true)
    const json = model.withStructuredOutput(z.toJSONSchema(schema) as Record<string, unknown>)
    expect(await json.invoke([message])).toEqual(value)
    const both = await model.withStructuredOutput(schema, { includeRaw: true }).invoke([message])
    expect(both).toMatchObject({ parsed: value, raw: { content: JSON.stringify(value) } })
  })

  test('works in a chain', async () => {
    const prompt = ChatPromptTemplate.fromMessages([['human', '{question}']])
    const chain = prompt.pipe(new ChatNVLM({ nvlm, maxTokens: 4 })).pipe(new StringOutputParser())
    expect(typeof (await chain.invoke({ question: 'How many shapes are there?' }))).toBe('string')
  })

  test('passes options of the model and of the call on', async () => {
    const generate = vi.spyOn(nvlm, 'generate')
    const sampling = new ChatNVLM({ nvlm, temperature: 0.5, topK: 9, seed: 3, tiles: { maxTiles: 2 } })
    await sampling.invoke('x', { maxTokens: 2, topK: 5, stop: ['@'] })
    expect(generate.mock.calls[0]![0]).toMatchObject({
      temperature: 0.5,
      topK: 5,
      seed: 3,
      maxTokens: 2,
      tiles: { maxTiles: 2 },
      stop: ['@'],
    })
    generate.mockRestore()
    expect(sampling.invocationParams()).toMatchObject({ model: 'nvlm-tiny', temperature: 0.5 })
  })

  test('refuses blocks that it can not read', async () => {
    await expect(model.invoke([withPicture({ type: 'audio', data: 'x' })])).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    })
  })
})

describe('LangChain with a model of rules', () => {
  const add = tool(async ({ a, b }) => JSON.stringify({ sum: a + b }), {
    name: 'add',
    description: 'Adds two numbers.',
    schema: z.object({ a: z.number(), b: z.number() }),
  })

  test('calls tools, and goes on with what they gave', async () => {
    const model = new ChatNVLM({ nvlm: toolModel(adder) }).bindTools([add])
    const asked = [new SystemMessage('Be brief.'), new HumanMessage('2+3')]
    const message = await model.invoke(asked)
    expect(message.text).toBe('Let me see.')
    expect(message.tool_calls).toMatchObject([{ type: 'tool_call', name: 'add', args: { a: 2, b: 3 } }])
    const result: ToolMessage = await add.invoke(message.tool_calls![0]!)
    expect(result).toBeInstanceOf(ToolMessage)
    expect((await model.invoke([...asked, message, result])).text).toBe('The sum is {"sum":5}.')
  })

  test('streams the calls of tools', async () => {
    const model = new ChatNVLM({ nvlm: toolModel(adder) }).bindTools([add])
    let whole: AIMessageChunk | undefined
    for await (const chunk of await model.stream('2+3')) whole = whole?.concat(chunk) ?? chunk
    expect(whole?.text).toBe('Let me see.')
    expect(whole?.tool_calls).toMatchObject([{ name: 'add', args: { a: 2, b: 3 } }])
  })

  test('leaves calls whose arguments do not fit to the tool', async () => {
    const nvlm = scripted(callText('add', { a: 'two' }))
    const message = await new ChatNVLM({ nvlm }).bindTools([add]).invoke('x')
    expect(message.tool_calls).toMatchObject([{ name: 'add', args: { a: 'two' } }])
    await expect(add.invoke(message.tool_calls![0]!)).rejects.toThrow(/schema/)
  })

  test.each([
    ['any', 'required'],
    ['required', 'required'],
    ['auto', 'auto'],
    ['none', 'none'],
    ['add', { name: 'add' }],
    [{ type: 'function', function: { name: 'add' } }, { name: 'add' }],
  ])('takes the tool choice %j as %j', async (given, expected) => {
    const nvlm = scripted('fine')
    const generate = vi.spyOn(nvlm, 'generate')
    const model = new ChatNVLM({ nvlm, maxTokens: 80 }).bindTools([add], { tool_choice: given })
    await model.invoke('x').catch(() => {})
    expect(generate.mock.calls[0]![0]).toMatchObject({ toolChoice: expected })
  })

  test("has LangChain's own way of structured output too", async () => {
    const nvlm = scripted(callText('extract', { item: 'TEA' }))
    const model = new ChatNVLM({ nvlm }).withStructuredOutput(z.object({ item: z.string() }), {
      method: 'functionCalling',
    })
    expect(await model.invoke('x')).toEqual({ item: 'TEA' })
  })

  test('stops the compute when the caller aborts, or reads no more', async () => {
    const nvlm = toolModel(() => 'a'.repeat(5000))
    const generate = vi.spyOn(nvlm, 'generate')
    const model = new ChatNVLM({ nvlm })
    await expect(model.invoke('x', { signal: AbortSignal.timeout(20) })).rejects.toThrow()
    for await (const _ of await model.stream('x')) break
    for (const { value } of generate.mock.results) {
      await value.catch(() => {})
      expect(value.status).toBe('aborted')
    }
  })

  test('answers the messages of a conversation', async () => {
    const model = new ChatNVLM({ nvlm: toolModel(prompt => `[${prompt}]`) })
    const { text } = await model.invoke([
      new HumanMessage('hi'),
      new AIMessage('ho'),
      new HumanMessage('and?'),
    ])
    expect(text).toMatch(/hi.*ho.*and\?/s)
    await expect(model.invoke([new ChatMessage('x', 'critic')])).rejects.toMatchObject({
      code: 'UNSUPPORTED',
    })
  })
})

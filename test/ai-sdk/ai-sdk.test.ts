import { readFile } from 'node:fs/promises'
import type { LanguageModelV3, LanguageModelV4 } from '@ai-sdk/provider'
import { generateText, Output, stepCountIs, streamText, tool } from 'ai'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import * as z from 'zod'
import { nvlmModel } from '../../src/ai-sdk.js'
import { defaultModelFolder, NVLM } from '../../src/node.js'
import { adder, callText, scripted, toolModel } from '../nvlm/tool-model.js'

const SIGN = 'examples/pictures/sign.png'

/** A question about a picture, as the AI SDK takes it. */
const ask = async (text: string) => [
  {
    role: 'user' as const,
    content: [
      { type: 'file' as const, mediaType: 'image/png', data: await readFile(SIGN) },
      { type: 'text' as const, text },
    ],
  },
]

describe('the AI SDK with the tiny model', () => {
  let nvlm: NVLM
  let models: readonly { readonly spec: string; readonly model: LanguageModelV3 | LanguageModelV4 }[]
  beforeAll(async () => {
    nvlm = await NVLM.load(defaultModelFolder, { worker: false })
    models = [
      { spec: 'v4', model: nvlmModel(nvlm) },
      { spec: 'v3', model: nvlmModel(nvlm, { spec: 'v3' }) },
    ]
  })
  afterAll(() => nvlm.dispose())

  test.each(['v4', 'v3'])('answers a question about a picture (%s)', async spec => {
    const { model } = models.find(one => one.spec === spec)!
    expect(model.specificationVersion).toBe(spec)
    const alone = await nvlm.generate('What does the sign say?', { images: SIGN })
    const result = await generateText({ model, messages: await ask('What does the sign say?') })
    expect(result.text).toBe(alone.text)
    expect(result.finishReason).toBe('stop')
    expect(result.usage).toMatchObject({
      inputTokens: alone.usage.promptTokens,
      outputTokens: alone.usage.completionTokens,
      totalTokens: alone.usage.totalTokens,
    })
    expect(result.response.modelId).toBe('nvlm-tiny')
    expect(result.providerMetadata?.nvlm).toMatchObject({ device: 'cpu' })
  })

  test.each(['v4', 'v3'])('streams it (%s)', async spec => {
    const { model } = models.find(one => one.spec === spec)!
    const alone = await nvlm.generate('What does the sign say?', { images: SIGN })
    const result = streamText({ model, messages: await ask('What does the sign say?') })
    const pieces: string[] = []
    for await (const piece of result.textStream) pieces.push(piece)
    expect(pieces.join('')).toBe(alone.text)
    expect(pieces.length).toBeGreaterThan(1)
    expect(await result.finishReason).toBe('stop')
    expect((await result.usage).outputTokens).toBe(alone.usage.completionTokens)
  })

  test('holds the answer to a schema', async () => {
    const { model } = models[0]!
    const schema = z.object({ item: z.string().max(20), price: z.number() })
    const prompt = await ask('What does the sign say?')
    const { output } = await generateText({ model, messages: prompt, output: Output.object({ schema }) })
    expect(schema.safeParse(output).success).toBe(true)
    const stream = streamText({ model, messages: prompt, output: Output.object({ schema }) })
    const partials: unknown[] = []
    for await (const partial of stream.partialOutputStream) partials.push(partial)
    expect(await stream.output).toEqual(output)
    expect(partials.at(-1)).toEqual(output)
  })

  test('passes on every setting that it knows, and warns of the others', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const generate = vi.spyOn(nvlm, 'generate')
    const { warnings } = await generateText({
      model: models[0]!.model,
      prompt: 'x',
      maxOutputTokens: 2,
      temperature: 0.7,
      topP: 0.9,
      topK: 40,
      presencePenalty: 0.1,
      frequencyPenalty: 0.2,
      seed: 5,
      stopSequences: ['@'],
      reasoning: 'high',
      providerOptions: { nvlm: { minP: 0.05, tiles: { maxTiles: 2 } } },
    })
    expect(generate.mock.calls[0]![0]).toMatchObject({
      maxTokens: 2,
      temperature: 0.7,
      topP: 0.9,
      topK: 40,
      presencePenalty: 0.1,
      frequencyPenalty: 0.2,
      seed: 5,
      stop: ['@'],
      minP: 0.05,
      tiles: { maxTiles: 2 },
    })
    expect(warnings).toMatchObject([{ type: 'unsupported', feature: 'reasoning' }])
    generate.mockRestore()
    warn.mockRestore()
    const wrong = generateText({
      model: models[0]!.model,
      prompt: 'x',
      providerOptions: { nvlm: { foo: 1 } },
    })
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })

  test('refuses files that are no pictures', async () => {
    const file = { type: 'file' as const, mediaType: 'application/pdf', data: new Uint8Array([1]) }
    const messages = [{ role: 'user' as const, content: [file] }]
    const failing = generateText({ model: models[0]!.model, messages })
    await expect(failing).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  })
})

describe('the AI SDK with a model of rules', () => {
  const add = tool({
    description: 'Adds two numbers.',
    inputSchema: z.object({ a: z.number(), b: z.number() }),
    execute: ({ a, b }) => ({ sum: a + b }),
  })

  test.each(['v4', 'v3'] as const)('runs tools and goes on with what they gave (%s)', async spec => {
    const model = nvlmModel(toolModel(adder), { spec } as { spec: 'v4' })
    const result = await generateText({ model, prompt: '2+3', tools: { add }, stopWhen: stepCountIs(3) })
    expect(result.text).toBe('The sum is {"sum":5}.')
    expect(result.steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop'])
    expect(result.steps[0]?.toolResults).toMatchObject([
      { toolName: 'add', input: { a: 2, b: 3 }, output: { sum: 5 } },
    ])
  })

  test('streams the calls of tools', async () => {
    const model = nvlmModel(toolModel(adder))
    const result = streamText({ model, prompt: '2+3', tools: { add }, stopWhen: stepCountIs(3) })
    const types: string[] = []
    for await (const { type } of result.fullStream) if (types.at(-1) !== type) types.push(type)
    expect(types).toEqual(
      expect.arrayContaining([
        'text-delta',
        'tool-input-start',
        'tool-call',
        'tool-result',
        'finish-step',
        'finish',
      ]),
    )
    expect(await result.text).toBe('The sum is {"sum":5}.')
  })

  test('leaves a call whose arguments do not fit to the AI SDK', async () => {
    const model = nvlmModel(scripted(callText('add', { a: 'two' }), 'Sorry.'))
    const result = await generateText({ model, prompt: 'x', tools: { add }, stopWhen: stepCountIs(2) })
    expect(result.steps[0]?.content).toContainEqual(
      expect.objectContaining({ type: 'tool-error', toolName: 'add' }),
    )
    expect(result.text).toBe('Sorry.')
  })

  test('forces a tool', async () => {
    const nvlm = scripted('whatever')
    const generate = vi.spyOn(nvlm, 'generate')
    const model = nvlmModel(nvlm)
    const ask = { model, prompt: 'x', tools: { add } }
    await generateText({ ...ask, toolChoice: { type: 'tool', toolName: 'add' }, maxOutputTokens: 50 }).catch(
      () => {},
    )
    await generateText({ ...ask, toolChoice: 'none' })
    expect(generate.mock.calls.map(([options]) => (options as { toolChoice?: unknown }).toolChoice)).toEqual([
      { name: 'add' },
      'none',
    ])
  })

  test('stops the compute when the caller aborts', async () => {
    const nvlm = toolModel(() => 'a'.repeat(5000))
    const stopping = new AbortController()
    const generate = vi.spyOn(nvlm, 'generate')
    const result = streamText({ model: nvlmModel(nvlm), prompt: 'x', abortSignal: stopping.signal })
    for await (const _ of result.textStream) stopping.abort()
    const generation = generate.mock.results[0]!.value
    await generation.catch(() => {})
    expect(generation.status).toBe('aborted')
    await expect(
      generateText({ model: nvlmModel(nvlm), prompt: 'x', abortSignal: AbortSignal.timeout(20) }),
    ).rejects.toThrow()
  })

  test('stops the compute when nobody reads on', async () => {
    const nvlm = toolModel(() => 'a'.repeat(5000))
    const generate = vi.spyOn(nvlm, 'generate')
    const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'x' }] }]
    const { stream } = await nvlmModel(nvlm).doStream({ prompt })
    const reader = stream.getReader()
    await reader.read()
    await reader.cancel()
    expect(generate.mock.results[0]!.value.status).toBe('aborted')
  })

  test('says in the stream what went wrong', async () => {
    const nvlm = toolModel(() => {
      throw new Error('the rule broke')
    })
    const errors: unknown[] = []
    const result = streamText({
      model: nvlmModel(nvlm),
      prompt: 'x',
      onError: ({ error }) => void errors.push(error),
    })
    await result.consumeStream()
    expect(errors).toMatchObject([{ message: 'the rule broke' }])
    expect(await result.finishReason).toBe('error')
  })

  test('reads every kind of message of a conversation', async () => {
    const nvlm = toolModel(prompt => `[${prompt}]`)
    const model = nvlmModel(nvlm)
    const { text } = await generateText({
      model,
      instructions: 'be',
      messages: [
        { role: 'user', content: 'hi' },
        {
          role: 'assistant',
          content: [
            { type: 'text', text: 'calling' },
            { type: 'tool-call', toolCallId: '1', toolName: 'add', input: { a: 1 } },
          ],
        },
        {
          role: 'tool',
          content: [
            {
              type: 'tool-result',
              toolCallId: '1',
              toolName: 'add',
              output: { type: 'json', value: { sum: 1 } },
            },
          ],
        },
        { role: 'user', content: 'and?' },
      ],
    })
    expect(text).toContain('s:be')
    expect(text).toContain('{"sum":1}')
    expect(text).toMatch(/u:and\?/)
  })
})

import { rm } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Engine } from '../../src/nvlm/engine.js'
import type { GenerationFilter } from '../../src/nvlm/filters.js'
import type { GenerateOptions } from '../../src/nvlm/generate-options.js'
import { loadEngine } from '../../src/nvlm/load-engine.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { tool } from '../../src/nvlm/tool-types.js'
import { nodeEngineRuntime } from '../../src/nvlm/worker/node-host.js'
import { checkpointFolder, imagePath } from '../support/official-golden.js'
import { buildForNode } from './build-for-node.js'
import { FakeStages, nextTurn } from './fake-stages.js'
import { add, adder, failureOf, toolModel } from './tool-model.js'

const dish = z.object({ name: z.string().max(12), price: z.number().min(0).max(99), vegan: z.boolean() })

/** Wants to say `text`, and else what comes first among what is allowed. */
function wanting(text: (prompt: string) => string, filters: readonly GenerationFilter[] = []) {
  const stages = new FakeStages({ work: nextTurn, answer: text })
  return { stages, nvlm: new NVLM(new Engine(stages, { nextTurn }), { filters }) }
}

describe('an answer in a form', () => {
  const soup = '{"name":"Soup","price":4.5,"vegan":true}'

  test('of a schema is its value, and streams as partial values', async () => {
    const reply = wanting(() => soup).nvlm.generate('x', { schema: dish })
    const partial: unknown[] = []
    for await (const value of reply.partialObjects) partial.push(value)
    const { object, text, finishReason } = await reply
    expect([object, text, finishReason]).toEqual([JSON.parse(soup), soup, 'stop'])
    expect(partial).toContainEqual({ name: 'So' })
    expect(partial.at(-1)).toEqual(object)
    expect(await reply.object()).toEqual(object)
  })

  test('of a schema is valid even if the model wants to say something else', async () => {
    const { nvlm } = wanting(() => 'Well, let me think about that for a moment.')
    const { object } = await nvlm.generate('x', { schema: dish })
    expect(dish.safeParse(object).success).toBe(true)
  })

  test('of choices is one of them, of a regular expression matches it', async () => {
    const { nvlm } = wanting(() => 'the blue one')
    expect(await nvlm.generate('x', { choices: ['red', 'the blue', 'the'] }).text()).toBe('the blue')
    expect(await nvlm.generate('x', { regex: /[a-z]+ [A-Z]{2}/ }).text()).toMatch(/^[a-z]+ [A-Z]{2}$/)
    expect(await nvlm.generate('x', { regex: 'the( \\w+){2}' }).text()).toBe('the blue one')
  })

  test('that does not fit into maxTokens is an error with what there was', async () => {
    const error = await failureOf(wanting(() => soup).nvlm.generate('x', { schema: dish, maxTokens: 10 }))
    expect(error).toMatchObject({
      code: 'SCHEMA_MISMATCH',
      details: { completionTokens: 10, text: soup.slice(0, 10) },
    })
    expect(error.hint).toMatch(/maxTokens/)
  })

  test('goes through the checks of its library', async () => {
    const { nvlm } = wanting(() => '{"from":7,"to":3}')
    const range = z.object({ from: z.int().min(0).max(9), to: z.int().min(0).max(9) })
    const ordered = range.refine(({ from, to }) => from <= to, 'from the smaller to the larger')
    await expect(nvlm.generate('x', { schema: ordered })).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      message: expect.stringContaining('from the smaller'),
    })
    const summed = range.transform(({ from, to }) => from + to)
    expect((await nvlm.generate('x', { schema: summed })).object).toBe(10)
  })

  test('that was aborted gives the text so far', async () => {
    const reply = wanting(() => soup).nvlm.generate('x', { schema: dish })
    reply.on('token', ({ index }) => index === 8 && reply.abort('enough'))
    await expect(reply).rejects.toBe('enough')
    expect(reply.partial?.text).toBe(soup.slice(0, 9))
  })

  test('refuses what would bend it', () => {
    const { nvlm } = wanting(() => '')
    const refusals: readonly (readonly [GenerateOptions, RegExp])[] = [
      [{ schema: dish, stop: 'x' }, /"stop" and "schema" exclude/],
      [{ regex: /a/, minTokens: 3 }, /"minTokens" and "regex" exclude/],
      [{ choices: ['a'], noRepeatNgram: 2 }, /"noRepeatNgram" and "choices" exclude/],
      [{ choices: ['a'], regex: /a/ }, /exclude each other/],
      [{ choices: [] }, /one choice or more/],
      [{ schema: 7 as never }, /expected a schema of zod 4/],
    ]
    for (const [options, message] of refusals) {
      expect(() => nvlm.generate('x', options as never)).toThrowError(message)
    }
  })
})

describe('in a chat', () => {
  test('a format can be asked for in one turn, and its JSON is what was said', async () => {
    const { nvlm } = wanting(prompt => (prompt.endsWith('more') ? 'with pleasure' : '{"n":3}'))
    const chat = nvlm.chat()
    const { object } = await chat.send('how many?', { schema: z.object({ n: z.int() }) })
    expect(object).toEqual({ n: 3 })
    expect(await chat.send('more').text()).toBe('with pleasure')
    expect(chat.messages.map(({ content }) => content)).toEqual([
      'how many?',
      '{"n":3}',
      'more',
      'with pleasure',
    ])
  })

  test('a turn whose answer does not pass is dropped', async () => {
    const { nvlm } = wanting(() => '"no"')
    const chat = nvlm.chat({ schema: z.string().refine(value => value === 'yes') })
    await expect(chat.send('x')).rejects.toMatchObject({ code: 'SCHEMA_MISMATCH' })
    expect(chat.messages).toEqual([])
  })

  test('tools of the chat are called, and calls and results are part of the conversation', async () => {
    const chat = toolModel(adder).chat({ tools: { add } })
    const { text } = await chat.send('2+3')
    expect(text).toContain('The sum is {"sum":5}.')
    expect(chat.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'tool', 'assistant'])
    const { usage } = await chat.send('4+5')
    expect(usage.cachedTokens).toBeGreaterThan(0)
    expect(chat.messages).toHaveLength(8)
    const fork = chat.fork()
    fork.rewind()
    expect(fork.messages).toEqual(chat.messages.slice(0, 4))
    const restored = toolModel(adder).chat({ tools: { add }, restore: await chat.save() })
    expect(restored.messages).toEqual(chat.messages)
  })

  test('a turn that was aborted inside of a tool is dropped', async () => {
    const never = { ...add, execute: () => new Promise<never>(() => {}) }
    const chat = toolModel(adder).chat({ tools: { add: never } })
    const reply = chat.send('2+3')
    reply.on('toolCall', () => reply.abort('enough'))
    await expect(reply).rejects.toBe('enough')
    expect(chat.messages).toEqual([])
  })
})

describe('with filters', () => {
  const reading = (seen: string[]): GenerationFilter => ({
    input(messages) {
      seen.push(messages.map(({ role }) => role).join())
    },
    async *output(deltas) {
      for await (const delta of deltas) yield delta
    },
  })
  const shouting: GenerationFilter = {
    async *output(deltas) {
      for await (const delta of deltas) yield delta.toUpperCase()
    },
  }

  test('an object is made of what the output filters leave', async () => {
    const { nvlm } = wanting(() => '{"a":"b"}', [shouting])
    const { object, text } = await nvlm.generate('x', { schema: { type: 'object' } })
    expect([object, text]).toEqual([{ A: 'B' }, '{"A":"B"}'])
  })

  test('that leave no JSON, or other JSON than the schema allows, the generation fails', async () => {
    const cutting: GenerationFilter = {
      async *output(deltas) {
        for await (const delta of deltas) yield delta.replace('}', '')
      },
    }
    const cut = wanting(() => '{"a":1}', [cutting]).nvlm
    await expect(cut.generate('x', { schema: { type: 'object' } })).rejects.toMatchObject({
      code: 'SCHEMA_MISMATCH',
      details: { text: '{"a":1' },
    })
    const changed = wanting(() => '{"a":"b"}', [shouting]).nvlm
    await expect(changed.generate('x', { schema: z.strictObject({ a: z.string() }) })).rejects.toThrow(
      /does not pass the check of zod: .*a: /,
    )
  })

  test('every step of a run with tools passes them, results of tools too', async () => {
    const seen: string[] = []
    const { nvlm } = wanting(adder, [reading(seen)])
    const { text } = await nvlm.generate('2+3', { tools: { add } })
    expect(text).toBe('Let me see.\nThe sum is {"sum":5}.')
    expect(seen).toEqual(['user', 'user,assistant,tool'])
  })

  test('an output filter can stop a call before it is made', async () => {
    const noCalls: GenerationFilter = {
      async *output(deltas) {
        let text = ''
        for await (const delta of deltas) {
          text += delta
          if (text.includes('<tool')) return
          yield delta
        }
      },
    }
    const { nvlm } = wanting(adder, [noCalls])
    const result = await nvlm.generate('2+3', { tools: { add } })
    expect(result).toMatchObject({ finishReason: 'content-filter', toolCalls: [] })
    expect(result.text).toMatch(/^Let me see\./)
  })
})

describe('with a real model', () => {
  const image = imagePath('images/c_200x90.png')
  const REQUESTS: Readonly<Record<string, GenerateOptions>> = {
    'a zod schema': { prompt: 'What is this?', images: [image], schema: dish, tiles: { maxTiles: 1 } },
    'a JSON Schema': {
      prompt: 'List them.',
      schema: { type: 'array', items: { enum: ['é', '日本', 3] }, minItems: 2, maxItems: 3 },
    },
    'a regular expression': { prompt: 'When?', regex: /\d{4}-(0\d|1[0-2])( ü){0,3}/ },
    choices: { prompt: 'Which?', choices: ['red', 'green', 'light green'] },
    'a forced call': {
      prompt: 'Add.',
      tools: {
        add: tool({ parameters: z.object({ a: z.int().min(0).max(50) }), execute: ({ a }) => a + 1 }),
      },
      toolChoice: 'required',
      maxSteps: 2,
      maxTokens: 60,
    },
  }
  let folder: string
  beforeAll(async () => {
    folder = await buildForNode({ 'engine-worker': 'src/nvlm/worker/engine-worker.ts' })
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  async function load(worker: boolean): Promise<NVLM> {
    const runtime = nodeEngineRuntime(pathToFileURL(`${folder}/engine-worker.mjs`))
    return new NVLM(await loadEngine(checkpointFolder('nvlmd-tiny-fp32'), { worker }, runtime))
  }

  /** The answer without what differs from run to run. */
  async function answer(nvlm: NVLM, options: GenerateOptions) {
    const result = await nvlm.generate(options)
    const { text, tokenIds, finishReason, object, toolCalls, toolResults } = result as typeof result &
      Readonly<Record<'object', unknown>> &
      Readonly<Record<'toolCalls' | 'toolResults', readonly { readonly id: string }[] | undefined>>
    const bare = (list: readonly object[] | undefined) => list?.map(entry => ({ ...entry, id: '' }))
    return { text, tokenIds, finishReason, object, calls: bare(toolCalls), results: bare(toolResults) }
  }

  test('the worker gives the answers of this thread, drawn and greedy', async () => {
    await using here = await load(false)
    await using there = await load(true)
    for (const [name, options] of Object.entries(REQUESTS)) {
      for (const drawn of [{}, { temperature: 1.5, seed: 4 }]) {
        const expected = await answer(here, { ...options, ...drawn })
        expect(await answer(there, { ...options, ...drawn }), name).toEqual(expected)
        if (options.schema === dish) expect(dish.safeParse(expected.object).success).toBe(true)
        if (options.regex) expect(expected.text).toMatch(/^\d{4}-(0\d|1[0-2])( ü){0,3}$/)
        if (options.choices) expect(options.choices).toContain(expected.text)
        if (options.tools)
          expect(expected.calls).toEqual([{ id: '', name: 'add', arguments: expect.anything() }])
      }
    }
  })

  test.each([true, false])('a schema that is not supported is refused by name (worker: %s)', async worker => {
    await using nvlm = await load(worker)
    const reply = nvlm.generate('x', { schema: { type: 'array', uniqueItems: true } })
    await expect(reply).rejects.toMatchObject({
      code: 'SCHEMA_UNSUPPORTED',
      message: expect.stringContaining('"uniqueItems"'),
    })
  })
})

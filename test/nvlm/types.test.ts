import { describe, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import {
  type ChatSession,
  type FloatTensor,
  type GenerateResult,
  type Generation,
  type ImageEmbeddings,
  type NVLM,
  type ObjectResult,
  type StandardSchema,
  type ToolResult,
  type ToolsResult,
  tool,
} from '../../src/node.js'

// these tests run in the type checker: nothing here is called
const typed = (check: (nvlm: NVLM, chat: ChatSession) => void) => void check

const dish = z.object({ name: z.string(), tags: z.array(z.object({ id: z.int() })) })
type Dish = { name: string; tags: { id: number }[] }

describe('the object of an answer', () => {
  test('is what the zod schema says, after its transforms', () => {
    typed(async nvlm => {
      const reply = nvlm.generate('x', { schema: dish, images: 'a.png' })
      expectTypeOf(reply).toEqualTypeOf<Generation<ObjectResult<Dish>>>()
      expectTypeOf((await reply).object).toEqualTypeOf<Dish>()
      expectTypeOf(await reply.object()).toEqualTypeOf<Dish>()
      for await (const value of reply.partialObjects) {
        expectTypeOf(value.name).toEqualTypeOf<string | undefined>()
        expectTypeOf(value.tags?.[0]?.id).toEqualTypeOf<number | undefined>()
      }
      const length = z.string().transform(value => value.length)
      expectTypeOf((await nvlm.generate({ prompt: 'x', schema: length })).object).toEqualTypeOf<number>()
      reply.on('finish', result => expectTypeOf(result.object).toEqualTypeOf<Dish>())
    })
  })

  test('is what another Standard Schema says', () => {
    typed(async nvlm => {
      const schema = {} as StandardSchema<readonly Date[]>
      const { object } = await nvlm.generate({ messages: [{ role: 'user', content: 'x' }], schema })
      expectTypeOf(object).toEqualTypeOf<readonly Date[]>()
    })
  })

  test('is unknown for plain JSON Schema, and not there without a schema', () => {
    typed(async nvlm => {
      const result = await nvlm.generate('x', { schema: { type: 'object', properties: {} } })
      expectTypeOf(result.object).toBeUnknown()
      expectTypeOf(await nvlm.generate('x')).toEqualTypeOf<GenerateResult>()
      expectTypeOf(await nvlm.generate('x').object()).toBeUndefined()
      // @ts-expect-error: no schema, no object
      ;(await nvlm.generate('x', { regex: /a/ })).object
    })
  })
})

describe('choices', () => {
  test('are the type of the text', () => {
    typed(async nvlm => {
      const reply = nvlm.generate('x', { choices: ['red', 'green'], temperature: 1 })
      expectTypeOf((await reply).text).toEqualTypeOf<'red' | 'green'>()
      expectTypeOf(await reply.text()).toEqualTypeOf<'red' | 'green'>()
      expectTypeOf((await nvlm.generate({ prompt: 'x', choices: ['a'] })).text).toEqualTypeOf<'a'>()
      const list: readonly string[] = []
      expectTypeOf((await nvlm.generate('x', { choices: list })).text).toBeString()
    })
  })
})

describe('tools', () => {
  const weather = tool({
    parameters: z.object({ city: z.string() }),
    execute: async ({ city }, { signal }) => {
      expectTypeOf(city).toBeString()
      expectTypeOf(signal).toEqualTypeOf<AbortSignal>()
      return { degrees: 3 }
    },
  })

  test('written in the call know their arguments, and the result knows them and what they give', () => {
    typed(async nvlm => {
      const reply = nvlm.generate('x', {
        tools: {
          weather,
          add: {
            description: 'Adds.',
            parameters: z.object({ a: z.number(), b: z.number().optional() }),
            execute: ({ a, b }) => {
              expectTypeOf(a).toBeNumber()
              expectTypeOf(b).toEqualTypeOf<number | undefined>()
              return a + (b ?? 0)
            },
          },
          plain: { parameters: { type: 'object' }, execute: args => expectTypeOf(args).toBeUnknown() },
          asking: { parameters: z.object({ question: z.string() }) },
        },
        maxSteps: 3,
      })
      const { toolCalls, toolResults } = await reply
      const call = toolCalls[0]!
      expectTypeOf(call.name).toEqualTypeOf<'weather' | 'add' | 'plain' | 'asking'>()
      if (call.name === 'weather') expectTypeOf(call.arguments).toEqualTypeOf<{ city: string }>()
      if (call.name === 'add') expectTypeOf(call.arguments.b).toEqualTypeOf<number | undefined>()
      if (call.name === 'plain') expectTypeOf(call.arguments).toBeUnknown()
      if (call.name === 'asking') expectTypeOf(call.arguments).toEqualTypeOf<{ question: string }>()
      const result = toolResults[0]!
      if (result.error !== undefined) expectTypeOf(result.name).toBeString()
      else if (result.name === 'weather') expectTypeOf(result.result).toEqualTypeOf<{ degrees: number }>()
      else if (result.name === 'add') expectTypeOf(result.result).toBeNumber()
      reply.on('toolCall', made => expectTypeOf(made).toEqualTypeOf(call))
      reply.on('toolResult', given => expectTypeOf(given).toEqualTypeOf(result))
    })
  })

  test('with wrong arguments are an error', () => {
    typed(nvlm => {
      const parameters = z.object({ a: z.number() })
      // @ts-expect-error: `b` is no argument
      nvlm.generate('x', { tools: { add: { parameters, execute: ({ b }) => b } } })
      // @ts-expect-error: `a` is a number
      tool({ parameters, execute: ({ a }) => a.trim() })
      // @ts-expect-error: no parameters
      nvlm.generate('x', { tools: { add: { execute: () => 1 } } })
    })
  })

  test('that are not known when it is compiled have results of any type', () => {
    typed(async nvlm => {
      const tools: Record<string, typeof weather> = {}
      const result = await nvlm.generate({ prompt: 'x', tools })
      expectTypeOf(result.toolCalls[0]!.name).toBeString()
      expectTypeOf<ToolsResult['toolResults'][number]>().toEqualTypeOf<ToolResult>()
    })
  })
})

describe('a chat', () => {
  test('types each turn by its own options, else by those of the chat', () => {
    typed(async (nvlm, chat) => {
      expectTypeOf(chat.send('x')).toEqualTypeOf<Generation>()
      expectTypeOf((await chat.send('x', { schema: dish })).object).toEqualTypeOf<Dish>()
      expectTypeOf((await chat.send('x', { choices: ['a', 'b'] })).text).toEqualTypeOf<'a' | 'b'>()
      const { toolCalls } = await chat.send('x', {
        tools: { add: { parameters: z.object({ a: z.number() }), execute: ({ a }) => a } },
      })
      expectTypeOf(toolCalls[0]!.arguments.a).toBeNumber()

      const dishes = nvlm.chat({ system: 'Menus.', schema: dish })
      expectTypeOf((await dishes.send('x')).object).toEqualTypeOf<Dish>()
      expectTypeOf((await dishes.fork().send('x', { maxTokens: 9 })).object).toEqualTypeOf<Dish>()
      expectTypeOf((await dishes.send('x', { schema: z.int() })).object).toBeNumber()
      const answers = nvlm.chat({ choices: ['yes', 'no'] })
      expectTypeOf(await answers.send([{ type: 'text', text: 'x' }]).text()).toEqualTypeOf<'yes' | 'no'>()
      const calling = nvlm.chat({ tools: { one: { parameters: z.object({}), execute: () => 'a' as const } } })
      const [result] = (await calling.send('x')).toolResults
      expectTypeOf(result!.result).toEqualTypeOf<'a' | undefined>()
    })
  })
})

describe('generate, chat and embed', () => {
  test('take a prompt or options, and no option that does not exist', () => {
    typed((nvlm, chat) => {
      expectTypeOf(nvlm.generate('x')).toEqualTypeOf<Generation>()
      expectTypeOf(nvlm.generate('x', { maxTokens: 3 })).toEqualTypeOf<Generation>()
      expectTypeOf(nvlm.generate({ prompt: 'x' })).toEqualTypeOf<Generation>()
      // @ts-expect-error: misspelled
      nvlm.generate('x', { maxToken: 3 })
      // @ts-expect-error: the prompt twice
      nvlm.generate('x', { prompt: 'y' })
      // @ts-expect-error: misspelled
      nvlm.chat({ systems: 'x' })
      // @ts-expect-error: of the chat, not of a turn
      chat.send('x', { system: 'y' })
    })
  })

  test('give embeddings as tensors', () => {
    typed(async nvlm => {
      const result = await nvlm.embed(['a.png', new Uint8Array()], { pooling: 'mean' })
      expectTypeOf(result).toEqualTypeOf<ImageEmbeddings>()
      expectTypeOf(result.embeddings[0]!).toEqualTypeOf<FloatTensor>()
      // @ts-expect-error: no such pooling
      nvlm.embed('a.png', { pooling: 'max' })
    })
  })
})

import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { StreamPart } from '../../src/nvlm/stream-parts.js'
import { tool } from '../../src/nvlm/tool-types.js'
import { nextTurn } from './fake-stages.js'
import { add, adder, callText, failureOf, scripted, toolModel } from './tool-model.js'

const never = tool({ parameters: z.object({}), execute: () => new Promise<never>(() => {}) })
const anything = (execute: () => unknown) => tool({ parameters: { type: 'object' }, execute })

describe('a generation with tools', () => {
  test('calls them, tells the model what they gave back, and goes on', async () => {
    const result = await toolModel(adder).generate('2+3', { tools: { add } })
    expect(result.text).toBe('Let me see.\nThe sum is {"sum":5}.')
    expect(result.finishReason).toBe('stop')
    const [call] = result.toolCalls
    expect(result.toolCalls).toEqual([
      { id: expect.stringMatching(/^call_/), name: 'add', arguments: { a: 2, b: 3 } },
    ])
    expect(result.toolResults).toEqual([{ id: call!.id, name: 'add', result: { sum: 5 } }])
    expect(result.messages).toEqual([
      {
        role: 'assistant',
        content: 'Let me see.',
        tool_calls: [
          { id: call!.id, type: 'function', function: { name: 'add', arguments: '{"a":2,"b":3}' } },
        ],
      },
      { role: 'tool', tool_call_id: call!.id, content: '{"sum":5}' },
      { role: 'assistant', content: 'The sum is {"sum":5}.' },
    ])
  })

  test('adds up tokens, usage and times of its steps', async () => {
    const nvlm = toolModel(adder)
    const result = await nvlm.generate('2+3', { tools: { add } })
    const said = [`Let me see.\n${callText('add', { a: 2, b: 3 })}`, 'The sum is {"sum":5}.']
    const completionTokens = said.join('').length + 2
    const prompts = ['[add]u:2+3', '[add]u:2+3a:Let me see.add({"a":2,"b":3})t:{"sum":5}']
    expect(result.tokenIds).toHaveLength(completionTokens)
    expect(result.usage).toMatchObject({ completionTokens, promptTokens: prompts.join('').length })
    expect(result.usage.totalTokens).toBe(result.usage.promptTokens + completionTokens)
    expect(result.usage.cachedTokens).toBeGreaterThanOrEqual('[add]u:2+3'.length)
    expect(result.timings.decodeMs).toBeGreaterThan(0)
  })

  test('streams the text without the calls, and events in order', async () => {
    const reply = toolModel(adder).generate('2+3', { tools: { add } })
    const indexes: number[] = []
    reply.on('token', ({ index }) => indexes.push(index))
    const heard: unknown[] = []
    reply.on('toolCall', call => heard.push(call)).on('toolResult', result => heard.push(result))
    const parts: StreamPart[] = []
    for await (const part of reply.parts) parts.push(part)
    const { text, toolCalls, toolResults, tokenIds } = await reply
    expect(parts.flatMap(part => (part.type === 'text' ? part.text : [])).join('')).toBe(text)
    const names = parts.map(({ type }) => type).filter((type, at, all) => type !== all[at - 1])
    expect(names).toEqual([
      'start',
      'prefill',
      'text',
      'tool-call',
      'tool-result',
      'prefill',
      'text',
      'finish',
    ])
    expect(heard).toEqual([toolCalls[0], toolResults[0]])
    expect(indexes).toEqual(tokenIds.map((_, index) => index))
  })

  test('that are not needed is an answer like any other', async () => {
    const result = await toolModel(adder).generate('hi', { tools: { add } })
    expect(result).toMatchObject({ text: 'Hello.', finishReason: 'stop', toolCalls: [], toolResults: [] })
    expect(result.messages).toEqual([{ role: 'assistant', content: 'Hello.' }])
  })

  test('gives the calls to the caller where a tool has no `execute`', async () => {
    const { execute: _, ...asking } = add
    const result = await toolModel(adder).generate('2+3', { tools: { add: asking } })
    expect(result).toMatchObject({ finishReason: 'tool-calls', text: 'Let me see.', toolResults: [] })
    expect(result.toolCalls.map(({ arguments: args }) => args)).toEqual([{ a: 2, b: 3 }])
    // with an answer behind it, the conversation can be taken up by hand
    const [turn] = result.messages
    const id = result.toolCalls[0]!.id
    const messages = [{ role: 'user' as const, content: '2+3' }, turn!]
    const next = await toolModel(adder).generate({
      messages: [...messages, { role: 'tool', tool_call_id: id, content: 'five' }],
      tools: { add: asking },
    })
    expect(next.text).toBe('The sum is five.')
  })

  test('ends after `maxSteps`, with the calls of the last step answered', async () => {
    let numCalls = 0
    const count = anything(() => ++numCalls)
    const nvlm = toolModel(() => callText('count', {}))
    const result = await nvlm.generate('go', { tools: { count }, maxSteps: 3 })
    expect(result).toMatchObject({ finishReason: 'tool-calls', text: '' })
    expect([numCalls, result.toolCalls.length, result.messages.length]).toEqual([3, 3, 6])
    numCalls = 0
    await nvlm.generate('go', { tools: { count } })
    expect(numCalls).toBe(5)
  })

  test('runs the calls of one step at the same time, and keeps their order', async () => {
    let release = () => {}
    const second = new Promise<void>(resolve => {
      release = resolve
    })
    const nvlm = scripted(callText('first', {}) + callText('second', {}), 'done')
    const tools = {
      first: anything(() => second.then(() => '1')),
      second: anything(() => {
        release()
        return '2'
      }),
    }
    const { toolResults, messages, text } = await nvlm.generate('go', { tools })
    expect(toolResults.map(({ name, result }) => [name, result])).toEqual([
      ['first', '1'],
      ['second', '2'],
    ])
    expect(messages.map(({ role }) => role)).toEqual(['assistant', 'tool', 'tool', 'assistant'])
    expect(text).toBe('done')
  })

  test('takes no call that was cut off by maxTokens', async () => {
    let numCalls = 0
    const count = anything(() => ++numCalls)
    const whole = callText('count', {})
    const nvlm = toolModel(() => `${whole}${whole}`)
    const cut = await nvlm.generate('go', { tools: { count }, maxSteps: 1, maxTokens: whole.length + 9 })
    expect(numCalls).toBe(1)
    expect(cut.toolCalls).toHaveLength(1)
    const none = await nvlm.generate('go', { tools: { count }, maxTokens: whole.length - 3 })
    expect(none).toMatchObject({ finishReason: 'length', toolCalls: [], text: '' })
  })
})

describe('a call that goes wrong', () => {
  const boom = new RangeError('boom')
  const wrong: readonly (readonly [string, string, Record<string, typeof never>, RegExp])[] = [
    ['throws', callText('bad', {}), { bad: anything(() => Promise.reject(boom)) as never }, /^boom$/],
    ['has wrong arguments', callText('bad', { a: 'x' }), { bad: add as never }, /a: Invalid input.*; b: Inv/],
    ['names no tool', callText('worse', {}), { bad: never }, /^there is no such tool; there are bad$/],
    [
      'is no JSON',
      '<tool_call>{"name": </tool_call>',
      { bad: never },
      /can't be read, it is no JSON object$/,
    ],
    [
      'has no name',
      '<tool_call>{"arguments": {}}</tool_call>',
      { bad: never },
      /can't be read, it has no "name"$/,
    ],
    [
      'breaks a plain JSON Schema',
      callText('bad', { n: 0.5 }),
      { bad: tool({ parameters: { properties: { n: { type: 'integer' } } }, execute: () => 1 }) as never },
      /^the arguments do not fit the schema/,
    ],
  ]

  test.each(wrong)('because it %s: the model is told', async (_, said, tools, message) => {
    let told = ''
    const nvlm = toolModel(prompt => {
      told = /t:Error: (.*)$/s.exec(prompt)?.[1] ?? ''
      return told === '' ? said : 'sorry'
    })
    const { text, toolResults, finishReason } = await nvlm.generate('go', { tools })
    expect([text, finishReason]).toEqual(['sorry', 'stop'])
    expect(told).toMatch(message)
    expect(toolResults).toEqual([expect.objectContaining({ error: told })])
  })

  test.each(wrong)('because it %s: the caller is told, if asked', async (_, said, tools, message) => {
    const reply = scripted(said, 'sorry').generate('go', { tools, toolErrors: 'caller' })
    const error = await failureOf(reply)
    expect(error.code).toBe('TOOL_FAILED')
    expect(error.message.replace(/^tool "\w*": /, '')).toMatch(message)
    expect(error.details?.toolCallId).toMatch(/^call_/)
    if (said.includes('"bad"') && message.source === '^boom$') expect(error.cause).toBe(boom)
  })

  test('leaves what was no call in the conversation, so that the model sees it', async () => {
    const said = 'Hm. <tool_call>nonsense</tool_call>'
    const { messages } = await scripted(said, 'sorry').generate('go', { tools: { add } })
    expect(messages[0]).toEqual({
      role: 'assistant',
      content: 'Hm.\n<tool_call>nonsense</tool_call>',
    })
    expect(messages[1]).toMatchObject({ role: 'tool', content: expect.stringMatching(/^Error: /) })
  })
})

describe('an abort inside of a tool', () => {
  test('reaches the tool, and does not wait for one that does not listen', async () => {
    let signal: AbortSignal | undefined
    const tools = {
      listening: tool({
        parameters: z.object({}),
        execute: (_, context) => {
          signal = context.signal
          return new Promise<never>(() => {})
        },
      }),
      never,
    }
    const nvlm = scripted(`I ask.${callText('listening', {})}${callText('never', {})}`)
    const reply = nvlm.generate('go', { tools })
    reply.on('toolCall', ({ name }) => name === 'never' && reply.abort('enough'))
    await expect(reply).rejects.toBe('enough')
    expect(signal?.reason).toBe('enough')
    expect(reply.partial).toMatchObject({
      text: 'I ask.',
      finishReason: 'aborted',
      toolCalls: [],
      toolResults: [],
    })
  })

  test('drops what the tool says later', async () => {
    let answer = (_: unknown) => {}
    const slow = tool({
      parameters: z.object({}),
      execute: () =>
        new Promise(resolve => {
          answer = resolve
        }),
    })
    const heard: unknown[] = []
    const reply = scripted(callText('slow', {})).generate('go', { tools: { slow }, toolErrors: 'caller' })
    reply.on('toolResult', result => heard.push(result))
    reply.on('toolCall', () => reply.abort('enough'))
    await expect(reply).rejects.toBe('enough')
    answer('late')
    await nextTurn()
    expect(heard).toEqual([])
  })

  test('by leaving the loop gives the partial result', async () => {
    const reply = scripted(`I ask.${callText('never', {})}`).generate('go', { tools: { never } })
    for await (const part of reply.parts) if (part.type === 'tool-call') break
    expect(await reply).toMatchObject({ finishReason: 'aborted', text: 'I ask.' })
  })
})

describe('toolChoice', () => {
  test('"none" leaves tools out, "auto" is the default', async () => {
    const none = await toolModel(prompt => prompt).generate('2+3', { tools: { add }, toolChoice: 'none' })
    expect(none.text).toBe('u:2+3')
    const auto = await toolModel(prompt => prompt).generate('2+3', { tools: { add }, toolChoice: 'auto' })
    expect(auto.text).toBe('[add]u:2+3')
  })

  test.each(['required', { name: 'add' }] as const)('%j holds the first step to a call', async toolChoice => {
    // the model would say zeros for ever, which no call begins with
    const nvlm = toolModel(prompt => (prompt.includes('t:') ? 'so be it' : '0'.repeat(500)))
    const sum = tool({
      parameters: z.object({ a: z.int().min(0).max(9), b: z.enum(['x', '0']) }),
      execute: ({ a, b }) => `${a}${b}`,
    })
    const result = await nvlm.generate('go', { tools: { add: sum }, toolChoice })
    expect(result.toolCalls.map(({ arguments: args }) => args)).toEqual([{ a: 0, b: '0' }])
    expect(result.toolResults[0]?.result).toBe('00')
    expect(result.text).toBe('so be it')
  })

  test('that names no tool, and options about tools without tools, are refused', () => {
    const nvlm = toolModel(adder)
    expect(() => nvlm.generate('x', { tools: { add }, toolChoice: { name: 'sub' } })).toThrowError(
      /names "sub", which is no tool/,
    )
    expect(() => nvlm.generate('x', { maxSteps: 2 })).toThrowError(/"maxSteps" without "tools"/)
    expect(() => nvlm.generate('x', { tools: {} })).toThrowError(/one tool or more/)
    expect(() => nvlm.generate('x', { tools: { add }, schema: z.string() } as never)).toThrowError(
      /"schema" and "tools" exclude each other/,
    )
    expect(() => nvlm.generate('x', { tools: { add }, toolChoice: 'required', stop: 'a' })).toThrowError(
      /"stop" and "toolChoice" exclude each other/,
    )
  })
})

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { chatMLPromptFormat } from '../../src/models/chatml.js'
import { nvlmPromptFormat } from '../../src/models/nvlm/prompt.js'
import type { Message } from '../../src/tokenizer/messages.js'
import { Tokenizer } from '../../src/tokenizer/tokenizer.js'
import { pythonJSON, type ToolDefinition } from '../../src/tokenizer/tools.js'
import { realJson } from './golden-files.js'

interface ToolPrompt {
  readonly name: string
  readonly messages: readonly Message[]
  readonly tools: readonly ToolDefinition[]
  readonly prompt: string
}

const path = fileURLToPath(new URL('../golden/tokenizer/tool-prompts.json', import.meta.url))
const cases = JSON.parse(readFileSync(path, 'utf8')) as readonly ToolPrompt[]
const tool = cases[0]!.tools[0]!
const ask: Message = { role: 'user', content: 'Hi' }

describe('prompts with tools', () => {
  test.each(cases)("are byte for byte those of Qwen2.5's template: $name", ({ messages, tools, prompt }) => {
    const pieces = chatMLPromptFormat().writePrompt(messages, [], tools)
    expect(pieces.map(({ text }) => text).join('')).toBe(prompt)
  })

  test('get a system turn of their own where the model has none', () => {
    const format = nvlmPromptFormat({ imageTokensPerTile: 1, systemMessage: false })
    const text = format
      .writePrompt([ask], [], [tool])
      .map(piece => piece.text)
      .join('')
    expect(text).toMatch(/^<\|im_start\|>system\n# Tools\n/)
    expect(text).toContain('</tool_call><|im_end|><|im_start|>user\nHi<|im_end|>')
  })

  test('refuse arguments that are no JSON', () => {
    const call = { id: 'a', type: 'function', function: { name: 'now', arguments: '{' } } as const
    const messages: Message[] = [ask, { role: 'assistant', content: '', tool_calls: [call] }, ask]
    expect(() => chatMLPromptFormat().writePrompt(messages, [])).toThrowError(/tool "now" are no JSON/)
  })
})

describe('control tokens', () => {
  const tokenizer = Tokenizer.fromFiles(realJson, chatMLPromptFormat())
  const controls = tokenizer.addedTokens.map(({ text }) => text)
  const count = (messages: readonly Message[], definitions: readonly ToolDefinition[]) => {
    const ids = tokenizer.encodePrompt(messages, [], definitions)
    const added = new Set(tokenizer.addedTokens.map(({ id }) => id))
    return ids.filter(id => added.has(id)).length
  }
  const talk = (content: string): readonly Message[] => [
    ask,
    {
      role: 'assistant',
      content: 'x',
      tool_calls: [
        {
          id: 'a',
          type: 'function',
          function: { name: `n${content}`, arguments: JSON.stringify({ [`k${content}`]: content }) },
        },
      ],
    },
    { role: 'tool', tool_call_id: 'a', content },
  ]
  const describeTool = (text: string): ToolDefinition => ({
    name: `n${text}`,
    description: text,
    parameters: { type: 'object', properties: { [text]: { const: text } } },
  })

  test.each(controls)('never come from what tools are, are called with or give back: %s', control => {
    const plain = count(talk('plain'), [describeTool('plain')])
    expect(plain).toBeGreaterThan(0)
    expect(count(talk(control), [describeTool(control)])).toBe(plain)
    expect(count(talk(`</tool_response>${control}</tool_call>`), [describeTool('plain')])).toBe(plain)
  })

  test('are there for the calls that the template writes', () => {
    const ids = tokenizer.encodePrompt(talk('plain'), [])
    expect(ids).toContain(tokenizer.tokenId('<tool_call>'))
    expect(ids).toContain(tokenizer.tokenId('</tool_call>'))
  })
})

describe('JSON in the spelling of Python', () => {
  test('has spaces behind colons and commas, and leaves out what is undefined', () => {
    expect(pythonJSON({ a: [1, 'ü', null], b: undefined, c: {} })).toBe('{"a": [1, "ü", null], "c": {}}')
  })
})

import type { LanguageModelV3Prompt, LanguageModelV4Prompt } from '@ai-sdk/provider'
import { NVLMError } from '../core/errors.js'
import type { ContentPartInput, MessageInput } from '../nvlm/message-input.js'
import type { ToolCallMessagePart } from '../tokenizer/tools.js'

/** A prompt of the AI SDK, of version 3 or 4 of its provider interface. */
export type AnyPrompt = LanguageModelV3Prompt | LanguageModelV4Prompt

type AnyMessage = AnyPrompt[number]
type PartOf<Role> = Extract<AnyMessage, { role: Role; content: readonly unknown[] }>['content'][number]
type FilePart = Extract<PartOf<'user'>, { type: 'file' }>
type ToolOutput = Extract<PartOf<'tool'>, { type: 'tool-result' }>['output']

/** Messages, and what of the prompt had to be left out. */
export interface ReadPrompt {
  readonly messages: readonly MessageInput[]
  /** Features by name. */
  readonly leftOut: readonly string[]
}

/**
 * A prompt as messages for `generate`.
 *
 * @throws {NVLMError} UNSUPPORTED for files that are no pictures
 */
export function readPrompt(prompt: AnyPrompt): ReadPrompt {
  const leftOut = new Set<string>()
  const messages = prompt.flatMap(message => readMessage(message, feature => leftOut.add(feature)))
  return { messages, leftOut: [...leftOut] }
}

type LeaveOut = (feature: string) => void

function readMessage(message: AnyMessage, leaveOut: LeaveOut): readonly MessageInput[] {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: message.content }]
    case 'user':
      return [{ role: 'user', content: message.content.map(readUserPart) }]
    case 'assistant':
      return [readAssistant(message.content, leaveOut)]
    case 'tool':
      return message.content.flatMap(part => {
        // an approval is between the AI SDK and its user
        if (part.type !== 'tool-result') return []
        const content = outputText(part.output, leaveOut)
        return [{ role: 'tool' as const, tool_call_id: part.toolCallId, content }]
      })
  }
}

function readUserPart(part: PartOf<'user'>): ContentPartInput {
  return part.type === 'text' ? { type: 'text', text: part.text } : readFile(part)
}

/** The fourth version says what the data are, the third tells it by their type. */
function readFile({ data, mediaType, filename = 'a file' }: FilePart): ContentPartInput {
  if (typeof data === 'string' || data instanceof URL || data instanceof Uint8Array) {
    return { type: 'file', data, mediaType }
  }
  if (data.type === 'data') return { type: 'file', data: data.data, mediaType }
  if (data.type === 'url') return { type: 'file', data: data.url, mediaType }
  if (data.type === 'text') return { type: 'text', text: data.text }
  throw new NVLMError('UNSUPPORTED', `${filename}: is a reference to a file at a provider`, {
    hint: 'Give the bytes of the picture, or its URL.',
  })
}

function readAssistant(parts: readonly PartOf<'assistant'>[], leaveOut: LeaveOut): MessageInput {
  let content = ''
  const calls: ToolCallMessagePart[] = []
  for (const part of parts) {
    if (part.type === 'text') content += part.text
    else if (part.type === 'tool-call') {
      const { toolCallId: id, toolName: name, input } = part
      calls.push({ id, type: 'function', function: { name, arguments: JSON.stringify(input ?? {}) } })
    } else leaveOut(`prompt: ${part.type} of an assistant`)
  }
  return { role: 'assistant', content, ...(calls.length > 0 && { tool_calls: calls }) }
}

/** What a tool gave, as the model reads it. */
function outputText(output: ToolOutput, leaveOut: LeaveOut): string {
  switch (output.type) {
    case 'text':
      return output.value
    case 'json':
      return JSON.stringify(output.value)
    case 'error-text':
      return `Error: ${output.value}`
    case 'error-json':
      return `Error: ${JSON.stringify(output.value)}`
    case 'execution-denied':
      return `Error: ${output.reason ?? 'the user did not allow it'}`
    case 'content': {
      const texts: string[] = []
      for (const part of output.value) {
        if (part.type === 'text') texts.push(part.text)
        else leaveOut(`prompt: ${part.type} of a tool`)
      }
      return texts.join('\n')
    }
  }
}

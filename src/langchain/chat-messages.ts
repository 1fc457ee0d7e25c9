import type { BaseMessage } from '@langchain/core/messages'
import { NVLMError } from '../core/errors.js'
import type { ContentPartInput, MessageInput, TextPartInput } from '../nvlm/message-input.js'
import type { ToolCallMessagePart } from '../tokenizer/tools.js'

/** A block of a message's content, as far as it is looked at. */
interface Block {
  readonly type: string
  readonly text?: unknown
  readonly image_url?: unknown
  readonly source_type?: unknown
  readonly url?: unknown
  readonly data?: unknown
  readonly mime_type?: unknown
  readonly mimeType?: unknown
}

/**
 * LangChain's messages as messages for `generate`. Pictures are OpenAI's `image_url` blocks and LangChain's own `image`
 * blocks, of its old shape (`source_type`) and its new one.
 *
 * @throws {NVLMError} UNSUPPORTED for blocks that are neither texts nor pictures, and for other roles
 */
export function readMessages(messages: readonly BaseMessage[]): readonly MessageInput[] {
  return messages.map(readMessage)
}

function readMessage(message: BaseMessage): MessageInput {
  switch (message.type) {
    case 'system':
      return { role: 'system', content: textParts(message) }
    case 'human':
      return { role: 'user', content: contentOf(message).map(readBlock) }
    case 'ai': {
      const calls = (message as { tool_calls?: readonly LangChainCall[] }).tool_calls ?? []
      const content = textParts(message)
      return { role: 'assistant', content, ...(calls.length > 0 && { tool_calls: calls.map(readCall) }) }
    }
    case 'tool': {
      const { tool_call_id } = message as unknown as { readonly tool_call_id: string }
      return { role: 'tool', content: textParts(message), tool_call_id }
    }
    default:
      throw new NVLMError('UNSUPPORTED', `a message of type "${message.type}"`, {
        hint: 'These models know system, human, ai and tool messages.',
      })
  }
}

interface LangChainCall {
  readonly id?: string | undefined
  readonly name: string
  readonly args: unknown
}

function readCall({ id = '', name, args }: LangChainCall): ToolCallMessagePart {
  return { id, type: 'function', function: { name, arguments: JSON.stringify(args) } }
}

function contentOf({ content }: BaseMessage): readonly Block[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : (content as readonly Block[])
}

/** Calls of tools may stand among the blocks too; they are read where LangChain puts all of them. */
const CALL_BLOCKS = ['tool_call', 'tool_use', 'function_call', 'input_json_delta']

function textParts(message: BaseMessage): readonly TextPartInput[] {
  return contentOf(message)
    .filter(({ type }) => !CALL_BLOCKS.includes(type))
    .map(block => {
      const part = readBlock(block)
      if (part.type === 'text') return part
      throw new NVLMError('UNSUPPORTED', `a picture in a message of type "${message.type}"`, {
        hint: 'Pictures belong in human messages.',
      })
    })
}

function readBlock(block: Block): ContentPartInput {
  const { type, text } = block
  if (type === 'text' && typeof text === 'string') return { type: 'text', text }
  if (type === 'image_url') return { type: 'image_url', image_url: block.image_url as string }
  if (type === 'image' || type === 'file') {
    const data = block.data ?? block.url
    const mediaType = block.mimeType ?? block.mime_type ?? 'image/*'
    if (data !== undefined && block.source_type !== 'id') {
      return { type: 'file', data: data as string, mediaType: String(mediaType) }
    }
  }
  throw new NVLMError('UNSUPPORTED', `a content block of type "${type}"`, {
    hint: 'Give text, image_url or image blocks with data or a url.',
  })
}

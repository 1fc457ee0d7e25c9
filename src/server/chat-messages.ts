import * as z from 'zod'
import type { ContentPartInput, MessageInput } from '../nvlm/message-input.js'
import { imageReference, type OpenImage } from './image-references.js'
import { optional, refused, text } from './parse-request.js'
import { detail, listOf } from './request-fields.js'

const NO_NAMES = 'names of participants are not told to the model; write them into the content'

const textPart = z.strictObject({ type: z.literal('text'), text })

const imagePart = z.strictObject({
  type: z.literal('image_url'),
  image_url: z.strictObject({ url: text, detail }, 'expected { url, detail }'),
})

/** Text alone, as a string or in parts. */
const plainContent = z.union([text, z.array(textPart)], 'expected a string or a list of text parts')

const toolCall = z.strictObject({
  id: text,
  type: z.literal('function', 'expected "function"'),
  function: z.strictObject({
    name: text,
    arguments: text,
    // clients put it there for themselves
    parsed_arguments: z.unknown().optional(),
  }),
})

const system = { content: plainContent, name: refused(NO_NAMES) }

/** What comes back of answers of this server, with the fields that clients add for themselves. */
const assistant = z
  .strictObject({
    role: z.literal('assistant'),
    content: optional(plainContent),
    tool_calls: optional(z.array(toolCall, 'expected a list of tool calls')),
    name: refused(NO_NAMES),
    refusal: refused('the model has no refusals', ''),
    annotations: refused('the model has no annotations', []),
    audio: refused('the model has no audio'),
    function_call: refused('use tool_calls'),
    parsed: z.unknown().optional(),
  })
  .refine(({ content, tool_calls: calls = [] }) => content !== undefined || calls.length > 0, {
    path: ['content'],
    error: 'expected a string or a list of text parts',
  })

const chatMessage = z.discriminatedUnion(
  'role',
  [
    z.strictObject({ role: z.literal('system'), ...system }),
    z.strictObject({ role: z.literal('developer'), ...system }),
    z.strictObject({
      role: z.literal('user'),
      content: z.union(
        [
          text,
          z.array(
            z.discriminatedUnion(
              'type',
              [textPart, imagePart],
              'expected a part of type "text" or "image_url"; audio and files are not read',
            ),
          ),
        ],
        'expected a string or a list of parts',
      ),
      name: refused(NO_NAMES),
    }),
    assistant,
    z.strictObject({ role: z.literal('tool'), content: plainContent, tool_call_id: text }),
  ],
  'expected a message with role "system", "developer", "user", "assistant" or "tool"',
)

/** The messages of a chat completion. */
export const chatMessages = listOf(chatMessage, 'messages')

/** Messages as the library takes them, with their pictures opened one after the other. */
export async function toMessages(
  messages: z.output<typeof chatMessages>,
  openImage: OpenImage,
): Promise<readonly MessageInput[]> {
  const result: MessageInput[] = []
  for (const [index, message] of messages.entries()) {
    if (message.role !== 'user' || typeof message.content === 'string') {
      result.push(toPlainMessage(message))
      continue
    }
    const content: ContentPartInput[] = []
    for (const [place, part] of message.content.entries()) {
      if (part.type === 'text') content.push(part)
      else
        content.push(await openImage(imageReference(part.image_url, `messages[${index}].content[${place}]`)))
    }
    result.push({ role: 'user', content })
  }
  return result
}

function toPlainMessage(message: z.output<typeof chatMessage>): MessageInput {
  switch (message.role) {
    case 'user':
      return { role: 'user', content: message.content as string }
    case 'tool':
      return message
    case 'assistant':
      return { role: 'assistant', content: message.content, tool_calls: message.tool_calls?.map(toToolCall) }
    default:
      return { role: 'system', content: message.content }
  }
}

function toToolCall({ id, type, function: { name, arguments: args } }: z.output<typeof toolCall>) {
  return { id, type, function: { name, arguments: args } }
}

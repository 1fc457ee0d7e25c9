import * as z from 'zod'
import type { ContentPartInput, MessageInput } from '../nvlm/message-input.js'
import type { ToolCallMessagePart } from '../tokenizer/tools.js'
import { imageReference, type OpenImage } from './image-references.js'
import { optional, refused, text } from './parse-request.js'
import { detail } from './request-fields.js'

/** What answers carry and requests may send back. */
const marks = {
  id: optional(text),
  status: optional(z.enum(['completed', 'in_progress', 'incomplete'])),
}

const inputText = z.strictObject({ type: z.literal('input_text'), text })

const outputText = z.strictObject({
  type: z.literal('output_text'),
  text,
  annotations: refused('the model has no annotations', []),
  logprobs: refused('log-probabilities are not read', []),
  // clients put it there for themselves
  parsed: z.unknown().optional(),
})

const inputImage = z.strictObject({
  type: z.literal('input_image'),
  image_url: text,
  detail,
  file_id: refused('there are no uploaded files'),
})

const content = z.union(
  [
    text,
    z.array(
      z.discriminatedUnion(
        'type',
        [inputText, outputText, inputImage],
        'expected a part of type "input_text", "output_text" or "input_image"',
      ),
    ),
  ],
  'expected a string or a list of parts',
)

const message = z.strictObject({
  type: optional(z.literal('message')),
  role: z.enum(['system', 'developer', 'user', 'assistant'], 'expected a role'),
  content,
  ...marks,
})

const functionCall = z.strictObject({
  type: z.literal('function_call'),
  call_id: text,
  name: text,
  arguments: text,
  // clients put it there for themselves
  parsed_arguments: z.unknown().optional(),
  ...marks,
})

const functionOutput = z.strictObject({
  type: z.literal('function_call_output'),
  call_id: text,
  output: z.union([text, z.array(inputText)], 'expected a string or a list of input_text parts'),
  ...marks,
})

/** One item of the input. */
export const inputItem = z.union(
  [message, functionCall, functionOutput],
  'expected a message, a function_call or a function_call_output',
)

type InputItem = z.output<typeof inputItem>

/** Input as the library takes it. Calls that follow each other become one turn. */
export async function toMessages(
  input: string | readonly InputItem[],
  instructions: string | undefined,
  openImage: OpenImage,
): Promise<readonly MessageInput[]> {
  const opening: MessageInput[] =
    instructions === undefined ? [] : [{ role: 'system', content: instructions }]
  if (typeof input === 'string') return [...opening, { role: 'user', content: input }]
  const messages = [...opening]
  for (const [index, item] of input.entries()) {
    if ('role' in item) messages.push(await toTurn(item, `input[${index}]`, openImage))
    else if (item.type === 'function_call') addCall(messages, item)
    else {
      const content = typeof item.output === 'string' ? item.output : joinText(item.output)
      messages.push({ role: 'tool', tool_call_id: item.call_id, content })
    }
  }
  return messages
}

async function toTurn(
  { role, content }: z.output<typeof message>,
  param: string,
  openImage: OpenImage,
): Promise<MessageInput> {
  const asked = role === 'developer' ? 'system' : role
  if (typeof content === 'string') return { role: asked, content }
  const parts: ContentPartInput[] = []
  for (const [index, part] of content.entries()) {
    if (part.type !== 'input_image') parts.push({ type: 'text', text: part.text })
    else {
      const reference = imageReference(
        { url: part.image_url, detail: part.detail },
        `${param}.content[${index}]`,
      )
      parts.push(await openImage(reference))
    }
  }
  // the library refuses pictures outside of user turns
  return { role: asked, content: parts } as MessageInput
}

function addCall(messages: MessageInput[], item: z.output<typeof functionCall>): void {
  const { call_id: id, name, arguments: args } = item
  const call: ToolCallMessagePart = { id, type: 'function', function: { name, arguments: args } }
  const last = messages.at(-1)
  if (last?.role === 'assistant') {
    messages[messages.length - 1] = { ...last, tool_calls: [...(last.tool_calls ?? []), call] }
  } else messages.push({ role: 'assistant', content: '', tool_calls: [call] })
}

function joinText(parts: readonly { readonly text: string }[]): string {
  return parts.map(({ text }) => text).join('')
}

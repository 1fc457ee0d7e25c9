import type { ContentPart, Message } from '../tokenizer/messages.js'
import type { ToolCallMessagePart } from '../tokenizer/tools.js'

/** A part of a user's turn on its way. */
export type WirePart =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'image_url'; readonly image_url: { readonly url: string; readonly detail?: 'low' } }

/** A turn on its way. */
export type WireMessage =
  | { readonly role: 'system'; readonly content: string }
  | { readonly role: 'user'; readonly content: string | readonly WirePart[] }
  | {
      readonly role: 'assistant'
      readonly content: string | null
      readonly tool_calls?: readonly ToolCallMessagePart[]
    }
  | { readonly role: 'tool'; readonly content: string; readonly tool_call_id: string }

/**
 * Messages in OpenAI's shape.
 *
 * @param urlOf - gives the URL of a picture; asked one by one, in order
 * @param details - of the pictures, in order
 */
export async function wireMessages(
  messages: readonly Message[],
  urlOf: (image: unknown) => Promise<string>,
  details: readonly ('low' | undefined)[],
): Promise<readonly WireMessage[]> {
  const wired: WireMessage[] = []
  let numPictures = 0
  const wirePart = async (part: ContentPart): Promise<WirePart> => {
    if (part.type === 'text') return part
    const image = part.type === 'image' ? part.image : part.image_url
    const detail = details[numPictures++]
    return { type: 'image_url', image_url: { url: await urlOf(image), ...(detail && { detail }) } }
  }
  for (const message of messages) {
    if (message.role === 'user' && typeof message.content !== 'string') {
      const content: WirePart[] = []
      for (const part of message.content) content.push(await wirePart(part))
      wired.push({ role: 'user', content })
    } else wired.push(wireText(message as Exclude<Message, { role: 'user'; content: object }>))
  }
  return wired
}

function wireText(message: Message): WireMessage {
  if (message.role !== 'assistant') return message as WireMessage
  const { content, tool_calls: calls } = message
  if (calls === undefined) return { role: 'assistant', content }
  return { role: 'assistant', content: content === '' ? null : content, tool_calls: calls }
}

/** Spellings of control tokens of the models that this library knows. */
const CONTROL_TEXT =
  /<\|[a-z_]{2,40}\|>|<\/?(?:image|img|IMG_CONTEXT|tool_call|tool_response|tile_[a-z0-9_]+)>/i

/**
 * The first text in a conversation that a server may read as a control token. In this process it never is one.
 *
 * @see vllm-project/vllm issue 57740
 */
export function findControlText(messages: readonly Message[]): string | undefined {
  for (const { content } of messages) {
    const texts =
      typeof content === 'string' ? [content] : content.map(part => (part.type === 'text' ? part.text : ''))
    for (const text of texts) {
      const found = CONTROL_TEXT.exec(text)
      if (found) return found[0]
    }
  }
  return undefined
}

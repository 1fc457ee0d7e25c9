const OPEN = '<tool_call>'
const CLOSE = '</tool_call>'

/** A piece of an answer: text for the reader, or what stands between the tags of a tool call. */
export type AnswerPiece =
  | { readonly type: 'text'; readonly text: string }
  /** `isOpen`: the closing tag is missing. */
  | { readonly type: 'call'; readonly source: string; readonly isOpen: boolean }

/** Takes tool calls out of a text that comes in pieces. */
export interface ToolCallFilter {
  push(text: string): readonly AnswerPiece[]
  /** At the end of the text. A call whose closing tag is missing is given as it is. */
  flush(): readonly AnswerPiece[]
}

/**
 * Find `<tool_call>…</tool_call>`, however the text is cut into pieces.
 *
 * @see NousResearch/Hermes-Function-Calling; Qwen/Qwen2.5-7B-Instruct `tokenizer_config.json`, `chat_template`
 */
export function createToolCallFilter(): ToolCallFilter {
  let held = ''
  let isInCall = false
  return {
    push(text) {
      const pieces: AnswerPiece[] = []
      held += text
      for (;;) {
        const tag = isInCall ? CLOSE : OPEN
        const place = held.indexOf(tag)
        if (place < 0) break
        const before = held.slice(0, place)
        if (isInCall) pieces.push({ type: 'call', source: before, isOpen: false })
        else if (before !== '') pieces.push({ type: 'text', text: before })
        held = held.slice(place + tag.length)
        isInCall = !isInCall
      }
      if (isInCall) return pieces
      const end = held.length - heldLength(held)
      if (end > 0) pieces.push({ type: 'text', text: held.slice(0, end) })
      held = held.slice(end)
      return pieces
    },
    flush() {
      const rest = held
      held = ''
      if (isInCall) return [{ type: 'call', source: rest, isOpen: true }]
      return rest === '' ? [] : [{ type: 'text', text: rest }]
    },
  }
}

/** Length of the longest end of `text` that the opening tag begins with. */
function heldLength(text: string): number {
  let length = Math.min(OPEN.length - 1, text.length)
  while (length > 0 && !OPEN.startsWith(text.slice(-length))) length--
  return length
}

/** The name and arguments of a call, or what is wrong with it. */
export type ParsedCall = { readonly name: string; readonly arguments: unknown } | { readonly problem: string }

/** Read what stands between the tags. Arguments that are JSON text themselves are read too. */
export function parseToolCall(source: string): ParsedCall {
  const call = parseJSON(source)
  if (typeof call !== 'object' || call === null) return { problem: 'it is no JSON object' }
  const { name, arguments: args = {} } = call as { name?: unknown; arguments?: unknown }
  if (typeof name !== 'string') return { problem: 'it has no "name"' }
  return { name, arguments: typeof args === 'string' ? (parseJSON(args) ?? args) : args }
}

function parseJSON(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

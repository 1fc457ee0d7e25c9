import { NVLMError } from '../core/errors.js'
import { quotedValue } from '../formats/file-name.js'
import type { ContentPart, Message } from './messages.js'
import type { PromptFormat, PromptPiece } from './prompt-format.js'
import { type ToolDefinition, writeToolCalls, writeToolResponse, writeToolSection } from './tools.js'

/** The text between the turns of a conversation. */
export interface ConversationTemplate {
  readonly systemHeader: string
  readonly userHeader: string
  readonly assistantHeader: string
  /** Ends every turn that is not empty. */
  readonly turnEnd: string
  /** Content of the system turn where the conversation has none; `false` for no system turn at all. */
  readonly systemMessage: string | false
}

/** How a model family writes a picture down. */
export interface ImageSpan {
  /** Token that is repeated once for each image embedding; undefined where none lie in the sequence. */
  readonly token: string | undefined
  /** The text of one picture, without a line break after it. */
  write(numTiles: number): readonly PromptPiece[]
  /** See `PromptFormat`. */
  crossTexts?(numTiles: number): readonly string[]
  /** When a line break follows; default: where another part does that does not begin with white space. */
  readonly lineBreak?: 'always' | undefined
}

/**
 * The prompt format of a conversation template.
 *
 * A picture is followed by a line break if another part follows in the message, unless that part is text that
 * begins with white space itself. Empty user and assistant turns are their header alone, as in the reference.
 *
 * @param image - absent for text-only families
 * @see OpenGVLab/InternVL `internvl_chat/internvl/conversation.py`, `get_prompt` (SeparatorStyle.MPT)
 */
export function conversationFormat(
  template: ConversationTemplate,
  stopTokens: readonly string[],
  image?: ImageSpan,
): PromptFormat {
  return {
    imageToken: image?.token,
    stopTokens,
    ...(image?.crossTexts && { crossTexts: image.crossTexts }),
    writePrompt(messages, tileCounts, tools = []) {
      requireConversation(messages)
      requireTileCounts(countImages(messages), tileCounts)
      const counts = tileCounts.values()
      const writeNextImage = (): readonly PromptPiece[] => {
        if (image === undefined) throw new NVLMError('UNSUPPORTED', 'this model reads text only, not images')
        const pieces = image.write(counts.next().value!)
        return image.lineBreak === 'always' ? withLineBreak(pieces) : pieces
      }
      const [first, ...rest] = messages
      const hasSystem = first?.role === 'system'
      return [
        ...writeSystem(template, hasSystem ? first.content : template.systemMessage, tools),
        ...(hasSystem ? rest : messages).flatMap((message, index, turns) =>
          message.role === 'tool'
            ? writeToolTurn(template, message.content, turns[index - 1]?.role, turns[index + 1]?.role)
            : writeTurn(template, message, writeNextImage),
        ),
        { text: template.assistantHeader, isControl: true },
      ]
    },
  }
}

/** The content of a message alone, without headers: text as the author's, pictures as the template's. */
export function writeContent(
  content: string | readonly ContentPart[],
  writeNextImage: () => readonly PromptPiece[],
): readonly PromptPiece[] {
  if (typeof content === 'string') return [{ text: content, isControl: false }]
  return content.flatMap((part, index) => {
    if (part.type === 'text') return [{ text: part.text, isControl: false }]
    const image = writeNextImage()
    return needsLineBreak(image, content[index + 1]) ? withLineBreak(image) : image
  })
}

/** Number of image parts of a conversation. */
export function countImages(messages: readonly Message[]): number {
  const parts = messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content))
  return parts.filter(part => part.type !== 'text').length
}

/** @throws {NVLMError} INVALID_OPTION naming both numbers, or the count that is none */
export function requireTileCounts(numImages: number, tileCounts: readonly number[]): void {
  if (numImages !== tileCounts.length) {
    throw new NVLMError(
      'INVALID_OPTION',
      `the messages have ${numImages} images, tile counts are given for ${tileCounts.length}`,
      { hint: 'Give one tile count for each image part, in order of appearance.' },
    )
  }
  for (const [index, count] of tileCounts.entries()) {
    if (Number.isSafeInteger(count) && count >= 1) continue
    throw new NVLMError(
      'INVALID_OPTION',
      `tile count of image ${index + 1} is ${count}, expected a whole number of 1 or more`,
    )
  }
}

function needsLineBreak(image: readonly PromptPiece[], next: ContentPart | undefined): boolean {
  if (next === undefined || image.at(-1)?.text.endsWith('\n')) return false
  return next.type !== 'text' || !/^\s/.test(next.text)
}

/** The line break belongs to the picture, or to the text after it where the picture is tokenised on its own. */
function withLineBreak(image: readonly PromptPiece[]): readonly PromptPiece[] {
  const last = image.at(-1)
  if (last === undefined || last.sees !== undefined) return [...image, { text: '\n', isControl: true }]
  return [...image.slice(0, -1), { ...last, text: `${last.text}\n` }]
}

function writeSystem(
  template: ConversationTemplate,
  content: string | false,
  tools: readonly ToolDefinition[],
): readonly PromptPiece[] {
  if (content === false && tools.length === 0) return []
  const text = content || ''
  const section = tools.length === 0 ? [] : writeToolSection(tools)
  return [
    { text: template.systemHeader, isControl: true },
    { text: text === '' || section.length === 0 ? text : `${text}\n\n`, isControl: false },
    ...section,
    { text: template.turnEnd, isControl: true },
  ]
}

function writeTurn(
  template: ConversationTemplate,
  message: Exclude<Message, { role: 'tool' }>,
  writeNextImage: () => readonly PromptPiece[],
): readonly PromptPiece[] {
  const { role, content } = message
  const header = { text: role === 'user' ? template.userHeader : template.assistantHeader, isControl: true }
  const pieces = [...writeContent(content, writeNextImage)]
  const calls = role === 'assistant' ? (message.tool_calls ?? []) : []
  if (calls.length > 0 && content !== '') pieces.push({ text: '\n', isControl: true })
  pieces.push(...writeToolCalls(calls))
  if (pieces.every(piece => piece.text === '')) return [header]
  return [header, ...pieces, { text: template.turnEnd, isControl: true }]
}

/** Results of tools in a row are one turn of the user. */
function writeToolTurn(
  template: ConversationTemplate,
  content: string,
  before: Message['role'] | undefined,
  after: Message['role'] | undefined,
): readonly PromptPiece[] {
  return [
    { text: before === 'tool' ? '\n' : template.userHeader, isControl: true },
    ...writeToolResponse(content),
    { text: after === 'tool' ? '' : template.turnEnd, isControl: true },
  ]
}

/**
 * Check roles, order and content; messages come from callers in plain JavaScript too.
 *
 * @throws {NVLMError} INVALID_OPTION naming the message
 */
export function requireConversation(messages: readonly Message[]): void {
  for (const [index, { role, content }] of messages.entries()) {
    if (role !== 'system' && role !== 'user' && role !== 'assistant' && role !== 'tool') {
      throw invalidMessage(
        index,
        `has role ${quotedValue(role)}, expected "system", "user", "assistant" or "tool"`,
      )
    }
    if (role === 'system' && index > 0)
      throw invalidMessage(index, 'is a system message, which must be the first')
    requireContent(index, role, content)
  }
  const last = messages.at(-1)?.role
  if (last === 'user' || last === 'tool') return
  throw new NVLMError(
    'INVALID_OPTION',
    `a conversation of ${messages.length} messages has no user message at its end`,
  )
}

function requireContent(index: number, role: Message['role'], content: unknown): void {
  if (typeof content === 'string') return
  if (role !== 'user' || !Array.isArray(content)) {
    throw invalidMessage(index, `of the ${role} has no text as its content`)
  }
  for (const part of content as (Partial<ContentPart> | undefined)[]) {
    if (part?.type === 'image' || part?.type === 'image_url') continue
    if (part?.type === 'text' && typeof part.text === 'string') continue
    throw invalidMessage(index, `has a part that is no ${PART_TYPES}`)
  }
}

const PART_TYPES = '{ type: "text", text }, { type: "image", image } or { type: "image_url", image_url }'

function invalidMessage(index: number, problem: string): NVLMError {
  return new NVLMError('INVALID_OPTION', `message ${index + 1} ${problem}`)
}

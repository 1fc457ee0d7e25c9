import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import type { ImageInput } from '../platform/image-input.js'
import type { ContentPart, Message } from '../tokenizer/messages.js'
import type { ToolCallMessagePart } from '../tokenizer/tools.js'
import type { TileOptions } from './engine-client.js'

/** A piece of text in a message. */
export interface TextPartInput {
  readonly type: 'text'
  readonly text: string
}

/** A picture in a message; the AI SDK's image part is one too. */
export interface ImagePartInput {
  readonly type: 'image'
  /** With a `mediaType`, a string without `scheme:` is base64, as in the AI SDK, and no path. */
  readonly image: ImageInput
  readonly mediaType?: string | undefined
  /** How this picture is cut, laid over the request's `tiles`. A prepared image stays as it is. */
  readonly tiles?: TileOptions | undefined
}

/** OpenAI's picture part. */
export interface ImageUrlPartInput {
  readonly type: 'image_url'
  readonly image_url:
    | string
    | {
        readonly url: string
        /** `low`: the whole picture as one tile; `high`: as the model has it; `auto`: as the request's `tiles` say. */
        readonly detail?: 'auto' | 'low' | 'high' | undefined
      }
}

/** The AI SDK's file part; pictures only. */
export interface FilePartInput {
  readonly type: 'file'
  /** A string is a URL or base64, never a path. */
  readonly data: ImageInput
  /** `image/png` and the like, `image/*` or `image`. */
  readonly mediaType: string
}

export type ContentPartInput = TextPartInput | ImagePartInput | ImageUrlPartInput | FilePartInput

/** A turn of a conversation as callers may write it: in OpenAI's shape, with parts of the AI SDK. */
export type MessageInput =
  | { readonly role: 'system'; readonly content: string | readonly TextPartInput[] }
  | {
      readonly role: 'assistant'
      /** May be absent or null beside `tool_calls`. */
      readonly content?: string | readonly TextPartInput[] | null | undefined
      readonly tool_calls?: readonly ToolCallMessagePart[] | undefined
    }
  | {
      readonly role: 'tool'
      readonly content: string | readonly TextPartInput[]
      readonly tool_call_id: string
    }
  | { readonly role: 'user'; readonly content: string | readonly ContentPartInput[] }

const text = z.string('expected a string')
const flag = z.boolean('expected true or false').optional()
const count = z.int('expected an integer').min(1, 'expected an integer of 1 or more').optional()
const picture = z.unknown().refine(value => value !== undefined && value !== null, 'expected an image')

export const tilesSchema = z
  .strictObject({ maxTiles: count, minTiles: count, useThumbnail: flag }, 'expected tile options')
  .optional()

const textPart = z.strictObject({ type: z.literal('text'), text })
const detail = z.enum(['auto', 'low', 'high'], 'expected "auto", "low" or "high"').optional()

const contentPartSchema = z.discriminatedUnion(
  'type',
  [
    textPart,
    z.strictObject({
      type: z.literal('image'),
      image: picture,
      mediaType: text.optional(),
      tiles: tilesSchema,
    }),
    z.strictObject({
      type: z.literal('image_url'),
      image_url: z.union(
        [text, z.strictObject({ url: text, detail })],
        'expected a string or { url, detail }',
      ),
    }),
    z.strictObject({ type: z.literal('file'), data: picture, mediaType: text }),
  ],
  'expected a part of type "text", "image", "image_url" or "file"',
)

const plainContent = z.union([z.string(), z.array(textPart)], 'expected a string or a list of text parts')

const toolCallSchema = z.strictObject({
  id: text,
  type: z.literal('function'),
  function: z.strictObject({ name: text, arguments: text }),
})

/** One message, checked. */
export const messageSchema = z.discriminatedUnion(
  'role',
  [
    z.strictObject({ role: z.literal('system'), content: plainContent }),
    z
      .strictObject({
        role: z.literal('assistant'),
        content: plainContent.nullish(),
        tool_calls: z.array(toolCallSchema, 'expected a list of tool calls').optional(),
      })
      .refine(
        ({ content, tool_calls: calls = [] }) =>
          typeof content === 'string' || Array.isArray(content) || calls.length > 0,
        { path: ['content'], error: 'expected a string or a list of text parts' },
      ),
    z.strictObject({ role: z.literal('tool'), content: plainContent, tool_call_id: text }),
    z.strictObject({
      role: z.literal('user'),
      content: z.union([z.string(), z.array(contentPartSchema)], 'expected a string or a list of parts'),
    }),
  ],
  'expected a message with role "system", "user", "assistant" or "tool"',
)

/**
 * The one form that the engine knows: text and pictures, each picture with its own tile options.
 *
 * @throws {NVLMError} UNSUPPORTED for a file that is no picture
 */
export function toMessage(message: MessageInput, tiles: TileOptions | undefined): Message<ImageInput> {
  if (message.role === 'tool') return { ...message, content: joinText(message.content) }
  if (message.role === 'assistant') {
    const { content, tool_calls: calls = [] } = message
    const turn = { role: 'assistant', content: joinText(content ?? '') } as const
    return calls.length === 0 ? turn : { ...turn, tool_calls: calls }
  }
  if (message.role === 'system') return { role: 'system', content: joinText(message.content) }
  if (typeof message.content === 'string') return { role: 'user', content: message.content }
  return { role: 'user', content: message.content.map(part => toPart(part, tiles)) }
}

function joinText(content: string | readonly TextPartInput[]): string {
  return typeof content === 'string' ? content : content.map(({ text }) => text).join('')
}

/** @throws {NVLMError} UNSUPPORTED for a file that is no picture */
export function toPart(part: ContentPartInput, tiles: TileOptions | undefined): ContentPart<ImageInput> {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text }
    case 'image':
      return image(
        withMediaType(part.image, part.mediaType),
        part.tiles ? { ...tiles, ...part.tiles } : tiles,
      )
    case 'file':
      return image(withMediaType(part.data, part.mediaType), tiles)
    case 'image_url': {
      if (typeof part.image_url === 'string') return image(part.image_url, tiles)
      const { url, detail = 'auto' } = part.image_url
      if (detail === 'high') return image(url, {})
      return image(url, detail === 'low' ? { ...tiles, maxTiles: 1, minTiles: 1 } : tiles)
    }
  }
}

function image(picture: ImageInput, tiles: TileOptions | undefined): ContentPart<ImageInput> {
  return tiles === undefined ? { type: 'image', image: picture } : { type: 'image', image: picture, tiles }
}

function withMediaType(data: ImageInput, mediaType: string | undefined): ImageInput {
  if (mediaType === undefined) return data
  if (!/^image(\/|$)/i.test(mediaType)) {
    throw new NVLMError('UNSUPPORTED', `a file of type "${mediaType}"; only pictures (image/*) are read`, {
      hint: 'Turn its pages into pictures, or its text into a text part.',
    })
  }
  if (typeof data !== 'string' || /^[a-z][a-z0-9+.-]+:/i.test(data)) return data
  return `data:${mediaType};base64,${data}`
}

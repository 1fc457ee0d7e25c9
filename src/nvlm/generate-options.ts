import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import type { PromptLookupOptions } from '../generation/prompt-lookup.js'
import type { SamplingOptions } from '../generation/sampling-options.js'
import type { ImageInput } from '../platform/image-input.js'
import { abortSignalSchema, checkOptions } from './check-options.js'
import type { GenerateRequest, PromptRequest, TileOptions } from './engine-client.js'
import { filtersSchema, type GenerationFilter } from './filters.js'
import {
  type ContentPartInput,
  type MessageInput,
  messageSchema,
  tilesSchema,
  toMessage,
} from './message-input.js'
import { type FormatOptions, type Output, outputShape, readOutput } from './output-options.js'
import { numLogprobsOf, pickSampling, samplingShape } from './sampling-schema.js'
import { type TelemetryOptions, telemetrySchema } from './telemetry.js'
import type { ToolSet } from './tool-types.js'
import { readTools, type ToolOptions, toolShape } from './tools.js'

/** A checked call of `generate`. */
export interface GenerateCall {
  readonly request: GenerateRequest
  readonly output: Output
}

/** What to ask: the short form (`prompt`, with `images` and `system`) or the long one (`messages`), not both. */
export interface PromptOptions {
  /** The question. */
  readonly prompt?: string | undefined
  /** Pictures, placed before the question in this order. */
  readonly images?: ImageInput | readonly ImageInput[] | undefined
  /** Replaces the model's own system prompt. */
  readonly system?: string | undefined
  /** A conversation that ends with a user turn. */
  readonly messages?: readonly MessageInput[] | undefined
  /** How pictures are cut. Default: as the model's config says. */
  readonly tiles?: TileOptions | undefined
  /** Turn pictures upright as their EXIF orientation says (default true; the official code does not). */
  readonly applyExif?: boolean | undefined
  /** Tools that the prompt tells the model of. */
  readonly tools?: ToolSet | undefined
}

/** Options of `generate`. */
export interface GenerateOptions extends PromptOptions, SamplingOptions, FormatOptions, ToolOptions {
  /** Makes sampling repeatable: the same request, seed and model give the same answer. Default: a new one each time. */
  readonly seed?: number | undefined
  /** Most tokens of the answer. Default 1024, or what the context has room for. */
  readonly maxTokens?: number | undefined
  /**
   * Give the log-probability of each token, with this many of the likeliest alternatives (`true`: none; at most 20).
   *
   * They are of the model's own distribution, before temperature, penalties and the like.
   */
  readonly logprobs?: boolean | number | undefined
  /** The answer ends before the first of these. */
  readonly stop?: string | readonly string[] | undefined
  /**
   * Guess that what followed the last tokens before follows again, and compute several guesses in one run. The answer
   * stays the same; one that copies from its prompt comes faster. Default: at temperature 0.
   */
  readonly promptLookup?: boolean | PromptLookupOptions | undefined
  readonly signal?: AbortSignal | undefined
  /** Filters of this generation, behind those of the model. */
  readonly filters?: readonly GenerationFilter[] | undefined
  /** What is published about this generation; each name given replaces the model's. */
  readonly telemetry?: false | TelemetryOptions | undefined
}

const text = z.string('expected a string')
const stopString = text.min(1, 'expected a string that is not empty')
const flag = z.boolean('expected true or false').optional()

const messagesSchema = z
  .array(messageSchema, 'expected a list of messages')
  .min(1, 'expected one message or more')

const promptShape = {
  prompt: text.optional(),
  images: z.unknown().optional(),
  system: text.optional(),
  messages: messagesSchema.optional(),
  tiles: tilesSchema,
  applyExif: flag,
  tools: toolShape.tools,
}

const ngramLength = z
  .int('expected an integer')
  .min(1, 'expected 1 to 64')
  .max(64, 'expected 1 to 64')
  .optional()

const promptLookupSchema = z.union(
  [
    z.boolean(),
    z
      .strictObject({ maxDraftTokens: ngramLength, minNgram: ngramLength, maxNgram: ngramLength })
      .refine(
        ({ minNgram = 1, maxNgram = 64 }) => minNgram <= maxNgram,
        'expected a minNgram of at most maxNgram',
      ),
  ],
  'expected true, false or { maxDraftTokens, minNgram, maxNgram }',
)

const promptSchema = z.strictObject(promptShape, 'expected an object of options')

const generateSchema = z.strictObject(
  {
    ...promptShape,
    ...samplingShape,
    ...outputShape,
    stop: z.union([stopString, z.array(stopString)], 'expected a string or a list of strings').optional(),
    promptLookup: promptLookupSchema.optional(),
    signal: abortSignalSchema.optional(),
    filters: filtersSchema.optional(),
    telemetry: telemetrySchema.optional(),
  },
  'expected an object of options',
)

/**
 * Check the options of one generation.
 *
 * @param submittedAt - see `GenerateRequest`
 * @throws {NVLMError} INVALID_OPTION, SCHEMA_UNSUPPORTED
 */
export function parseGenerateOptions(options: GenerateOptions, submittedAt: number): GenerateRequest {
  return parseGenerateCall(options, submittedAt).request
}

/** The same, with what becomes of the answer. */
export function parseGenerateCall(options: GenerateOptions, submittedAt: number): GenerateCall {
  const checked: GenerateOptions = checkOptions(generateSchema, options, 'generate') as GenerateOptions
  const { seed, maxTokens, logprobs, stop = [], promptLookup } = checked
  const output = readOutput(checked, 'generate')
  const request: GenerateRequest = {
    ...toPromptRequest(checked, 'generate'),
    format: output.format,
    sampling: pickSampling(checked),
    seed,
    maxTokens,
    numLogprobs: numLogprobsOf(logprobs),
    stop: typeof stop === 'string' ? [stop] : stop,
    promptLookup,
    submittedAt,
  }
  return { request, output }
}

/**
 * Check options that are about the prompt only.
 *
 * @throws {NVLMError} INVALID_OPTION
 */
export function parsePromptOptions(options: PromptOptions, name: string): PromptRequest {
  const checked = checkOptions(promptSchema, options, name) as PromptOptions
  return { ...toPromptRequest(checked, name), tools: readTools(checked, name)?.definitions }
}

/**
 * Check messages alone.
 *
 * @param name - who gave them
 * @param tiles - of pictures that say nothing themselves
 * @throws {NVLMError} INVALID_OPTION; UNSUPPORTED for a file that is no picture
 */
export function parseMessages(
  messages: unknown,
  name: string,
  tiles: TileOptions | undefined,
): PromptRequest['messages'] {
  const checked = checkOptions(z.strictObject({ messages: messagesSchema }), { messages }, name)
  return (checked.messages as readonly MessageInput[]).map(message => toMessage(message, tiles))
}

function toPromptRequest(options: PromptOptions, name: string): PromptRequest {
  const { prompt, images, system, messages, tiles, applyExif } = options
  const toRequest = (list: readonly MessageInput[]): PromptRequest => ({
    messages: list.map(message => toMessage(message, tiles)),
    tiles,
    applyExif,
  })
  if (messages === undefined) {
    if (prompt === undefined) {
      throw new NVLMError('INVALID_OPTION', `${name}: neither "prompt" nor "messages" is given`, {
        hint: 'Give a prompt (with images if you like), or messages.',
      })
    }
    return toRequest(shortForm(prompt, images, system))
  }
  const extra = Object.entries({ prompt, images, system }).filter(([, value]) => value !== undefined)
  if (extra.length > 0) {
    const names = extra.map(([key]) => `"${key}"`).join(', ')
    throw new NVLMError('INVALID_OPTION', `${name}: ${names} and "messages" exclude each other`, {
      hint: 'Put images into the content of a user message, and a system prompt into a message of role "system".',
    })
  }
  return toRequest(messages)
}

function shortForm(
  prompt: string,
  images: PromptOptions['images'],
  system: string | undefined,
): readonly MessageInput[] {
  const list: readonly ImageInput[] =
    images === undefined ? [] : Array.isArray(images) ? images : [images as ImageInput]
  const parts: readonly ContentPartInput[] = [
    ...list.map(image => ({ type: 'image' as const, image })),
    { type: 'text', text: prompt },
  ]
  const user = { role: 'user' as const, content: list.length === 0 ? prompt : parts }
  return system === undefined ? [user] : [{ role: 'system', content: system }, user]
}

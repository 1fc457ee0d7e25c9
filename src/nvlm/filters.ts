import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import type { ImageInput } from '../platform/image-input.js'
import type { Message } from '../tokenizer/messages.js'
import type { MessageInput } from './message-input.js'

/** What a filter is told beside what it filters. */
export interface FilterContext {
  readonly modelId: string
  /** Aborts with the generation: hand it to what the filter waits for. */
  readonly signal: AbortSignal
  /**
   * Refuse the request or the answer: the generation fails.
   *
   * @throws {NVLMError} FILTERED, always
   */
  refuse(reason: string): never
}

/** Sees, changes or stops what goes into a model and what comes out. Errors that it throws end the generation as they are. */
export interface GenerationFilter {
  /** For messages. */
  readonly name?: string | undefined
  /** Look at the conversation before the model does; what is returned replaces it, nothing leaves it as it is. */
  input?(messages: readonly Message<ImageInput>[], context: FilterContext): FilteredMessages
  /**
   * Look at the text of the answer as it comes; what is yielded takes its place.
   *
   * Returning before the text has ended ends the answer there, `finishReason` `content-filter`.
   */
  output?(deltas: AsyncIterable<string>, context: FilterContext): AsyncIterable<string>
}

type Replacement = readonly MessageInput[] | undefined

/** What `input` may give: messages or nothing, now or later. */
// biome-ignore lint/suspicious/noConfusingVoidType: a function that returns nothing is a filter that only looks
export type FilteredMessages = Replacement | void | Promise<Replacement | void>

/** Filters among options; an instance of a class is kept as it is. */
export const filtersSchema = z.array(
  z.custom<GenerationFilter>(isFilter, 'expected a filter: { name?, input?, output? }'),
  'expected a list of filters',
)

function isFilter(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { name, input, output } = value as Record<string, unknown>
  const methods = [input, output].filter(method => method !== undefined)
  return (
    (name === undefined || typeof name === 'string') &&
    methods.length > 0 &&
    methods.every(method => typeof method === 'function')
  )
}

/** The context of one filter in one generation. */
export function filterContext(filter: GenerationFilter, modelId: string, signal: AbortSignal): FilterContext {
  return {
    modelId,
    signal,
    refuse(reason) {
      const name = filter.name === undefined ? 'a filter' : `filter "${filter.name}"`
      throw new NVLMError('FILTERED', `${name}: ${reason}`)
    },
  }
}

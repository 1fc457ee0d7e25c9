import * as z from 'zod'
import { NVLMError } from '../core/errors.js'

/** Most characters of a tool's name or id. */
const MAX_NAME = 256

const text = z.string()
const tokenId = z.int().min(0)

const entryShape = { token: text, logprob: z.number(), bytes: z.array(z.int()).nullish() }

const logprobSchema = z.object({ ...entryShape, top_logprobs: z.array(z.object(entryShape)).nullish() })

const toolCallSchema = z.object({
  index: z.int().min(0).max(127).nullish(),
  id: text.max(MAX_NAME).nullish(),
  function: z.object({ name: text.max(MAX_NAME).nullish(), arguments: text.nullish() }).nullish(),
})

const choiceSchema = z.object({
  delta: z.object({ content: text.nullish(), tool_calls: z.array(toolCallSchema).nullish() }).nullish(),
  logprobs: z.object({ content: z.array(logprobSchema).nullish() }).nullish(),
  finish_reason: text.nullish(),
  token_ids: z.array(tokenId).nullish(),
})

const usageSchema = z.object({
  prompt_tokens: z.int().min(0).nullish(),
  completion_tokens: z.int().min(0).nullish(),
  prompt_tokens_details: z
    .object({
      cached_tokens: z.int().min(0).nullish(),
      // vLLM's name for the tokens of pictures
      multimodal_tokens: z.object({ image: z.int().min(0).nullish() }).nullish(),
    })
    .nullish(),
})

const chunkSchema = z.object({
  choices: z.array(choiceSchema).nullish(),
  usage: usageSchema.nullish(),
  error: z.unknown().optional(),
  object: z.unknown().optional(),
  message: z.unknown().optional(),
})

/** One piece of an answer as it comes; what this library does not know is left out. */
export type ChatChunk = z.output<typeof chunkSchema>
/** The piece's only choice. */
export type ChatChoice = z.output<typeof choiceSchema>
/** Piece of a tool call. */
export type ToolCallDelta = z.output<typeof toolCallSchema>
/** Log-probability of a token. */
export type WireLogprob = z.output<typeof logprobSchema>
/** Tokens of a run. */
export type WireUsage = z.output<typeof usageSchema>

/**
 * Read the data of one event.
 *
 * @param words - makes a server's own words fit for a message
 * @throws {NVLMError} REMOTE_FAILED for what is no chunk, and for an error that the server reports in the stream
 */
export function parseChatChunk(data: string, words: (body: string) => string): ChatChunk {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch (cause) {
    throw malformed(`no JSON: ${words(data.slice(0, 60))}`, cause)
  }
  const parsed = chunkSchema.safeParse(value)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw malformed(`${issue?.path.join('.') || 'the event'}: ${issue?.message}`, parsed.error)
  }
  const { error, object } = parsed.data
  if (error !== undefined || object === 'error') {
    throw new NVLMError('REMOTE_FAILED', `the server stopped the answer: ${words(data)}`, {
      hint: 'See the log of the server.',
    })
  }
  return parsed.data
}

function malformed(what: string, cause: unknown): NVLMError {
  return new NVLMError('REMOTE_FAILED', `the server sent an event that is no piece of a chat: ${what}`, {
    hint: "Check that the server speaks the protocol of OpenAI's chat completions.",
    cause,
  })
}

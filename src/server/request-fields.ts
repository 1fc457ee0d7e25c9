import * as z from 'zod'
import { flag, integer, optional, range, refused, text } from './parse-request.js'

/** Longest list of messages or input items. */
const MAX_MESSAGES = 4096

const MAX_STOPS = 16

const MAX_TOOLS = 128

/** Fields of both kinds of request. */
export const commonFields = {
  model: text,
  temperature: optional(range(0, 2)),
  top_p: optional(range(0, 1)),
  stream: optional(flag),
  parallel_tool_calls: optional(flag),
  // who asks, and labels for records: no answer depends on them
  user: optional(text),
  safety_identifier: optional(text),
  prompt_cache_key: optional(text),
  metadata: optional(z.record(z.string(), text, 'expected an object of strings')),
  store: refused('nothing is stored here; leave it out or set it to false', false),
  service_tier: refused('there is one tier only', 'auto', 'default'),
  moderation: refused('there is no moderation here'),
  prompt_cache_retention: refused('prompts are kept as memory allows', 'in_memory', 'in-memory'),
}

/** Fields that vLLM and others have beside OpenAI's; the library knows them all. */
export const extraSamplingFields = {
  /** -1 and 0 mean all tokens, as in vLLM. */
  top_k: optional(integer(-1)),
  min_p: optional(range(0, 1)),
  repetition_penalty: optional(z.number('expected a number').positive('expected more than 0')),
  min_tokens: optional(integer(0)),
}

/** Fields of chat completions about the choice of tokens. */
export const chatSamplingFields = {
  presence_penalty: optional(range(-2, 2)),
  frequency_penalty: optional(range(-2, 2)),
  logit_bias: optional(
    z.record(
      z.string().regex(/^\d+$/, 'expected token ids as keys'),
      range(-100, 100),
      'expected an object with token ids as keys',
    ),
  ),
  seed: optional(integer(0)),
  stop: optional(
    z.union(
      [text.min(1), z.array(text.min(1, 'expected a string that is not empty')).max(MAX_STOPS)],
      `expected a string or a list of at most ${MAX_STOPS}`,
    ),
  ),
  ...extraSamplingFields,
}

/** A list that is not empty and not endless. */
export function listOf<Schema extends z.ZodType>(schema: Schema, what: string) {
  return z
    .array(schema, `expected a list of ${what}`)
    .min(1, `expected one of ${what} or more`)
    .max(MAX_MESSAGES, `expected at most ${MAX_MESSAGES} ${what}`)
}

const functionName = text.regex(/^[A-Za-z0-9_.-]{1,64}$/, 'expected a name of A-Z a-z 0-9 _ . -')

/** JSON Schema; the library says what it can't hold an answer to. */
export const jsonSchema = z.record(z.string(), z.unknown(), 'expected a JSON Schema')

/** A schema for the answer. Its name and description are notes about it; answers are held to it, strict or not. */
export const answerSchemaFields = {
  name: text,
  description: optional(text),
  schema: optional(jsonSchema),
  strict: optional(flag),
}

/** What a function tool is. */
export const functionFields = {
  name: functionName,
  description: optional(text),
  parameters: optional(jsonSchema),
  strict: optional(flag),
}

/** A list of tools. */
export function toolList<Schema extends z.ZodType>(schema: Schema) {
  return optional(z.array(schema, 'expected a list of tools').max(MAX_TOOLS, `at most ${MAX_TOOLS} tools`))
}

/** The name of a function to be called in any case. */
export const forcedFunction = z.strictObject({ name: functionName })

/** How large a picture is looked at. */
export const detail = optional(z.enum(['auto', 'low', 'high'], 'expected "auto", "low" or "high"'))

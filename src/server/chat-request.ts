import * as z from 'zod'
import type { GenerateOptions } from '../nvlm/generate-options.js'
import { invalid } from './api-error.js'
import { chatMessages, toMessages } from './chat-messages.js'
import {
  checkModel,
  type GenerationPlan,
  type RequestFormat,
  toSampling,
  toSchema,
  toToolChoice,
  toTools,
  withoutUndefined,
} from './generation-plan.js'
import type { OpenImage } from './image-references.js'
import { flag, integer, optional, parseRequest, refused, text } from './parse-request.js'
import {
  answerSchemaFields,
  chatSamplingFields,
  commonFields,
  forcedFunction,
  functionFields,
  jsonSchema,
  toolList,
} from './request-fields.js'

/** As OpenAI's API allows. */
const MAX_TOP_LOGPROBS = 20

const responseFormat = optional(
  z.discriminatedUnion(
    'type',
    [
      z.strictObject({ type: z.literal('text') }),
      z.strictObject({ type: z.literal('json_object') }),
      z.strictObject({
        type: z.literal('json_schema'),
        json_schema: z.strictObject(answerSchemaFields),
      }),
    ],
    'expected { type: "text" | "json_object" | "json_schema" }',
  ),
)

const toolChoice = optional(
  z.union(
    [
      z.enum(['auto', 'none', 'required']),
      z.strictObject({ type: z.literal('function'), function: forcedFunction }),
    ],
    'expected "auto", "none", "required" or { type: "function", function: { name } }',
  ),
)

/** vLLM's name for answers held to a form that OpenAI's API has no words for. */
const structuredOutputs = optional(
  z
    .strictObject({
      json: optional(jsonSchema),
      regex: optional(text),
      choice: optional(z.array(text.min(1)).min(1, 'expected one choice or more')),
    })
    .refine(forms => Object.values(forms).filter(form => form !== undefined).length === 1, {
      error: 'expected one of json, regex and choice',
    }),
)

const chatRequest = z.strictObject(
  {
    ...commonFields,
    ...chatSamplingFields,
    messages: chatMessages,
    max_tokens: optional(integer(1)),
    max_completion_tokens: optional(integer(1)),
    n: optional(integer(1)),
    stream_options: optional(
      z.strictObject({
        include_usage: optional(flag),
        include_obfuscation: refused('there is no obfuscation', false),
      }),
    ),
    logprobs: optional(flag),
    top_logprobs: optional(integer(0, MAX_TOP_LOGPROBS)),
    response_format: responseFormat,
    tools: toolList(
      z.strictObject({ type: z.literal('function'), function: z.strictObject(functionFields) }),
    ),
    tool_choice: toolChoice,
    structured_outputs: structuredOutputs,
    mm_processor_kwargs: optional(
      z.strictObject({
        max_dynamic_patch: optional(integer(1, 1000)),
        min_dynamic_patch: optional(integer(1, 1000)),
      }),
    ),
    /** vLLM's: the ids of the answer's tokens beside its text. */
    return_token_ids: optional(flag),
    modalities: refused('answers are text', ['text']),
    audio: refused('answers are text'),
    prediction: refused('predicted answers are not used'),
    reasoning_effort: refused('the model does not reason apart from its answer', 'none'),
    verbosity: refused('say in the prompt how long the answer should be', 'medium'),
    web_search_options: refused('there is no web search'),
    functions: refused('use tools'),
    function_call: refused('use tool_choice'),
  },
  'expected an object',
)

type ChatRequest = z.output<typeof chatRequest>

/** A checked chat completion. */
export interface ChatCall {
  readonly isStream: boolean
  readonly includeUsage: boolean
  readonly returnTokenIds: boolean
  readonly numChoices: number
  readonly tiles: GenerateOptions['tiles']
  /** Bring the pictures, and give what to ask the library. */
  plan(openImage: OpenImage): Promise<GenerationPlan>
}

/**
 * Check a chat completion.
 *
 * @param maxChoices - largest `n`
 * @throws {ApiError} 400 or 404
 */
export function parseChatRequest(body: unknown, modelId: string, maxChoices: number): ChatCall {
  const request = parseRequest(chatRequest, body)
  checkModel(request.model, modelId)
  const numChoices = request.n ?? 1
  if (numChoices > maxChoices) throw invalid('n', `At most ${maxChoices} answers at once.`)
  if (request.stream_options && !request.stream) throw invalid('stream_options', 'Only with "stream": true.')
  const tools = toTools(
    request.tools?.map(tool => tool.function),
    request.parallel_tool_calls,
  )
  const tiles = tilesOf(request)
  const options = { ...samplingOf(request), ...formatOf(request), ...toolOptions(request, tools) }
  return {
    isStream: request.stream ?? false,
    includeUsage: request.stream_options?.include_usage ?? false,
    returnTokenIds: request.return_token_ids ?? false,
    numChoices,
    tiles,
    async plan(openImage) {
      const messages = await toMessages(request.messages, openImage)
      const numLogprobs = options.logprobs === undefined ? undefined : (request.top_logprobs ?? 0)
      return { options: { ...options, messages }, numChoices, tools, numLogprobs }
    },
  }
}

function tilesOf({ mm_processor_kwargs: settings }: ChatRequest): GenerateOptions['tiles'] {
  const { max_dynamic_patch: maxTiles, min_dynamic_patch: minTiles } = settings ?? {}
  return maxTiles === undefined && minTiles === undefined ? undefined : { maxTiles, minTiles }
}

function samplingOf(request: ChatRequest): GenerateOptions {
  const { max_tokens: maxTokens, max_completion_tokens: maxCompletionTokens } = request
  if (maxTokens !== undefined && maxCompletionTokens !== undefined && maxTokens !== maxCompletionTokens) {
    throw invalid('max_tokens', 'It differs from max_completion_tokens, which means the same.')
  }
  if (request.top_logprobs !== undefined && !request.logprobs) {
    throw invalid('top_logprobs', 'Only with "logprobs": true.')
  }
  return withoutUndefined({
    ...toSampling(request),
    maxTokens: maxTokens ?? maxCompletionTokens,
    presencePenalty: request.presence_penalty,
    frequencyPenalty: request.frequency_penalty,
    logitBias: request.logit_bias,
    seed: request.seed,
    stop: request.stop,
    logprobs: request.logprobs ? (request.top_logprobs ?? 0) : undefined,
  })
}

function formatOf(request: ChatRequest): GenerateOptions {
  const { response_format: given, structured_outputs: other } = request
  const format: RequestFormat | undefined =
    given?.type === 'json_schema' ? { type: 'json_schema', schema: given.json_schema.schema } : given
  const schema = toSchema(format)
  if (schema !== undefined && other) {
    throw invalid('structured_outputs', 'It and response_format exclude each other.')
  }
  return withoutUndefined({ schema: schema ?? other?.json, regex: other?.regex, choices: other?.choice })
}

function toolOptions(request: ChatRequest, tools: GenerationPlan['tools']): GenerateOptions {
  const { tool_choice: choice } = request
  const toolChoice = toToolChoice(typeof choice === 'object' ? choice.function : choice, tools)
  return withoutUndefined({ tools: tools.set, toolChoice })
}

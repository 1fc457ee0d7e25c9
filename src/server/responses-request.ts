import * as z from 'zod'
import { invalid } from './api-error.js'
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
import { integer, optional, parseRequest, refused, text } from './parse-request.js'
import {
  answerSchemaFields,
  commonFields,
  extraSamplingFields,
  forcedFunction,
  functionFields,
  listOf,
  toolList,
} from './request-fields.js'
import { inputItem, toMessages } from './responses-input.js'

const format = optional(
  z.discriminatedUnion(
    'type',
    [
      z.strictObject({ type: z.literal('text') }),
      z.strictObject({ type: z.literal('json_object') }),
      z.strictObject({
        type: z.literal('json_schema'),
        ...answerSchemaFields,
      }),
    ],
    'expected { type: "text" | "json_object" | "json_schema" }',
  ),
)

const NOTHING_STORED = 'nothing is stored here; send the whole conversation as input'

const responsesRequest = z.strictObject(
  {
    ...commonFields,
    ...extraSamplingFields,
    input: z.union([text, listOf(inputItem, 'items')], 'expected a string or a list of items'),
    instructions: optional(text),
    max_output_tokens: optional(integer(1)),
    text: optional(
      z.strictObject({
        format,
        verbosity: refused('say in the instructions how long the answer should be', 'medium'),
      }),
    ),
    tools: toolList(
      z.strictObject({ type: z.literal('function', 'only function tools'), ...functionFields }),
    ),
    tool_choice: optional(
      z.union(
        [
          z.enum(['auto', 'none', 'required']),
          z.strictObject({ type: z.literal('function'), ...forcedFunction.shape }),
        ],
        'expected "auto", "none", "required" or { type: "function", name }',
      ),
    ),
    stream_options: optional(
      z.strictObject({ include_obfuscation: refused('there is no obfuscation', false) }),
    ),
    include: refused('there is nothing more to include', []),
    background: refused('answers are made while you wait', false),
    conversation: refused(NOTHING_STORED),
    previous_response_id: refused(NOTHING_STORED),
    prompt: refused('there are no stored prompts'),
    context_management: refused('the conversation is read as it is'),
    max_tool_calls: refused('there are no built-in tools'),
    reasoning: refused('the model does not reason apart from its answer', {}),
    top_logprobs: refused('ask for log-probabilities at /v1/chat/completions', 0),
    truncation: refused('input that is too long is an error', 'disabled'),
  },
  'expected an object',
)

type ResponsesRequest = z.output<typeof responsesRequest>

/** What an answer repeats of its request. */
export interface ResponsesEcho {
  readonly instructions: string | null
  readonly max_output_tokens: number | null
  readonly metadata: object
  readonly parallel_tool_calls: boolean
  readonly temperature: number | null
  readonly text: object
  readonly tool_choice: unknown
  readonly tools: readonly unknown[]
  readonly top_p: number | null
}

/** A checked request of the Responses API. */
export interface ResponsesRequestCall {
  readonly isStream: boolean
  readonly echo: ResponsesEcho
  plan(openImage: OpenImage): Promise<GenerationPlan>
}

/**
 * Check a request of the Responses API.
 *
 * @throws {ApiError} 400 or 404
 */
export function parseResponsesRequest(body: unknown, modelId: string): ResponsesRequestCall {
  const request = parseRequest(responsesRequest, body)
  checkModel(request.model, modelId)
  if (request.stream_options && !request.stream) throw invalid('stream_options', 'Only with "stream": true.')
  const tools = toTools(request.tools, request.parallel_tool_calls)
  const { tool_choice: choice } = request
  const toolChoice = toToolChoice(typeof choice === 'object' ? { name: choice.name } : choice, tools)
  const options = withoutUndefined({
    ...toSampling(request),
    maxTokens: request.max_output_tokens,
    schema: toSchema(request.text?.format && toFormat(request.text.format)),
    tools: tools.set,
    toolChoice,
  })
  return {
    isStream: request.stream ?? false,
    echo: echoOf(request),
    async plan(openImage) {
      const messages = await toMessages(request.input, request.instructions, openImage)
      return { options: { ...options, messages }, numChoices: 1, tools, numLogprobs: undefined }
    },
  }
}

function toFormat(given: z.output<typeof format> & object): RequestFormat {
  return given.type === 'json_schema' ? { type: 'json_schema', schema: given.schema } : given
}

function echoOf(request: ResponsesRequest): ResponsesEcho {
  return {
    instructions: request.instructions ?? null,
    max_output_tokens: request.max_output_tokens ?? null,
    metadata: request.metadata ?? {},
    parallel_tool_calls: request.parallel_tool_calls ?? true,
    temperature: request.temperature ?? null,
    text: { format: request.text?.format ?? { type: 'text' } },
    tool_choice: request.tool_choice ?? 'auto',
    tools: request.tools ?? [],
    top_p: request.top_p ?? null,
  }
}

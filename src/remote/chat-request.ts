import { NVLMError } from '../core/errors.js'
import type { AnswerFormat } from '../generation/answer-format.js'
import { DEFAULT_MAX_TOKENS, type GenerateRequest } from '../nvlm/engine-client.js'
import { idleSamplingWarnings } from '../nvlm/sampling-schema.js'
import type { RemoteDialect } from './remote-options.js'
import { findControlText, type WireMessage } from './wire-messages.js'
import { wireSchema } from './wire-schema.js'
import type { WireTiles } from './wire-tiles.js'

/** What a request's body is made of, beside the request. */
export interface ChatRequestParts {
  readonly model: string
  readonly dialect: RemoteDialect
  readonly messages: readonly WireMessage[]
  readonly tiles: WireTiles
  /** Of this run; sent if there is something to draw. */
  readonly seed: number
}

/** Options of sampling that OpenAI's protocol has no name for. */
const BEYOND_OPENAI = ['topK', 'minP', 'repetitionPenalty', 'minTokens'] as const

/** Those that do nothing at temperature 0. */
const IDLE_AT_ZERO: readonly string[] = ['topK', 'minP']

/**
 * The body of a `POST /chat/completions`.
 *
 * For vLLM everything that decides about tokens is sent, so that an absent option does nothing, whatever
 * generation_config.json or the server's command line say.
 *
 * @throws {NVLMError} UNSUPPORTED naming the option that the server has no field for
 * @see vllm-project/vllm `vllm/entrypoints/openai/chat_completion/protocol.py`, `ChatCompletionRequest`
 */
export function chatRequest(request: GenerateRequest, parts: ChatRequestParts): Record<string, unknown> {
  const { model, dialect, messages, tiles, seed } = parts
  const { sampling, numLogprobs, stop, format, maxTokens = DEFAULT_MAX_TOKENS } = request
  const { temperature = 0, frequencyPenalty, presencePenalty, logitBias, topP } = sampling
  assertSupported(request, dialect)
  return {
    model,
    messages,
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: maxTokens,
    temperature,
    ...(temperature > 0 && { seed }),
    ...(stop.length > 0 && { stop }),
    ...(logitBias && Object.keys(logitBias).length > 0 && { logit_bias: logitBias }),
    ...(numLogprobs !== undefined && { logprobs: true, top_logprobs: numLogprobs }),
    ...toolFields(request),
    ...(dialect === 'openai'
      ? defined({ top_p: topP, frequency_penalty: frequencyPenalty, presence_penalty: presencePenalty })
      : vllmFields(request, tiles)),
    ...formatFields(format),
  }
}

function vllmFields({ sampling }: GenerateRequest, { mm_processor_kwargs }: WireTiles) {
  const { topP, topK, minP, repetitionPenalty, frequencyPenalty, presencePenalty, minTokens } = sampling
  return {
    top_p: topP ?? 1,
    top_k: topK ?? 0,
    min_p: minP ?? 0,
    repetition_penalty: repetitionPenalty ?? 1,
    frequency_penalty: frequencyPenalty ?? 0,
    presence_penalty: presencePenalty ?? 0,
    return_token_ids: true,
    ...defined({ min_tokens: minTokens, mm_processor_kwargs }),
  }
}

function toolFields({ tools, format }: GenerateRequest) {
  if (tools === undefined) return {}
  const held = format?.type === 'tool-call' ? format.tools : []
  const forced = held.map(({ name }) => name)
  const definitions = tools.map(tool => {
    // a call that is held to a schema must be held to what the library of the schema means by it
    const schema = held.find(({ name }) => name === tool.name)
    return { type: 'function', function: schema ? { ...tool, parameters: wireSchema(schema) } : tool }
  })
  const isOne = forced.length === 1 && tools.length > 1
  return {
    tools: definitions,
    tool_choice: isOne
      ? { type: 'function', function: { name: forced[0] } }
      : forced.length > 0
        ? 'required'
        : 'auto',
  }
}

function formatFields(format: AnswerFormat | undefined) {
  if (format?.type === 'choices') return { structured_outputs: { choice: format.choices } }
  if (format?.type === 'regex') return { structured_outputs: { regex: format.source } }
  if (format?.type !== 'schema') return {}
  const json_schema = { name: 'answer', schema: wireSchema(format), strict: true }
  return { response_format: { type: 'json_schema', json_schema } }
}

function assertSupported({ sampling, format }: GenerateRequest, dialect: RemoteDialect): void {
  if (sampling.noRepeatNgram !== undefined) {
    throw unsupported('noRepeatNgram', 'Servers have penalties: use frequencyPenalty or repetitionPenalty.')
  }
  if (dialect === 'vllm') return
  const isIdle = (name: string) => !sampling.temperature && IDLE_AT_ZERO.includes(name)
  const wrong = BEYOND_OPENAI.find(name => sampling[name] !== undefined && !isIdle(name))
  const hint = 'If the server is vLLM or nvlm serve, load with remote.dialect: "vllm".'
  if (wrong !== undefined) throw unsupported(wrong, hint)
  if (format?.type === 'regex' || format?.type === 'choices') throw unsupported(format.type, hint)
}

function unsupported(option: string, hint: string): NVLMError {
  return new NVLMError('UNSUPPORTED', `"${option}" can't be asked of this server`, { hint })
}

/** Sentences about options that do less, or something a little different, at a server. */
export function requestWarnings(request: GenerateRequest, { dialect }: { dialect: RemoteDialect }): string[] {
  const { sampling, promptLookup, messages, numLogprobs, format } = request
  const control = findControlText(messages)
  const warnings: (string | false | undefined)[] = [
    ...idleSamplingWarnings(sampling),
    promptLookup !== undefined &&
      promptLookup !== false &&
      'promptLookup: has no effect; a server decides about that itself (vLLM: --speculative-config)',
    dialect === 'vllm' &&
      (sampling.repetitionPenalty ?? 1) !== 1 &&
      'repetitionPenalty: a server counts tokens of the prompt too, this process those of the answer only',
    numLogprobs !== undefined &&
      numLogprobs > 0 &&
      'logprobs: a server does not tell the token ids of alternatives; they are -1',
    format?.type === 'regex' &&
      format.flags !== '' &&
      'regex: a server gets the pattern without its flags; the answer is checked with them',
    control !== undefined &&
      `messages: the server may read ${JSON.stringify(control)} as a control token; in process it is text`,
  ]
  return warnings.filter(warning => typeof warning === 'string')
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>
}

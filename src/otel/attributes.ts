import type { Attributes, AttributeValue } from '@opentelemetry/api'
import { NVLMError } from '../core/errors.js'
import type { GenerateFinishMessage, GenerateStartMessage } from '../nvlm/telemetry.js'

/** Value of `gen_ai.provider.name`. */
export const PROVIDER = 'nvlm-ts'

/** What is known when a generation begins. @see https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ */
export function startAttributes(message: GenerateStartMessage): Attributes {
  const { sampling, stop, messages, metadata = {} } = message
  return withoutUndefined({
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': PROVIDER,
    'gen_ai.request.model': message.modelId,
    'gen_ai.request.max_tokens': message.maxTokens,
    'gen_ai.request.temperature': sampling.temperature,
    'gen_ai.request.top_p': sampling.topP,
    'gen_ai.request.top_k': sampling.topK,
    'gen_ai.request.presence_penalty': sampling.presencePenalty,
    'gen_ai.request.frequency_penalty': sampling.frequencyPenalty,
    'gen_ai.request.seed': message.seed,
    'gen_ai.request.stop_sequences': stop.length === 0 ? undefined : [...stop],
    'gen_ai.input.messages':
      messages && JSON.stringify(messages.map(({ role, content }) => ({ role, parts: [textPart(content)] }))),
    'nvlm.family': message.family,
    'nvlm.request.images': message.numImages,
    'nvlm.function_id': message.functionId,
    ...Object.fromEntries(Object.entries(metadata).map(([key, value]) => [`nvlm.metadata.${key}`, value])),
  })
}

/** What is known when it has ended. */
export function finishAttributes(message: GenerateFinishMessage): Attributes {
  const { usage, timings, text, finishReason } = message
  return withoutUndefined({
    'gen_ai.response.model': message.modelId,
    'gen_ai.response.finish_reasons': [finishReason],
    'gen_ai.usage.input_tokens': usage.promptTokens,
    'gen_ai.usage.output_tokens': usage.completionTokens,
    'gen_ai.usage.cache_read.input_tokens': usage.cachedTokens,
    'gen_ai.output.messages':
      text === undefined
        ? undefined
        : JSON.stringify([{ role: 'assistant', parts: [textPart(text)], finish_reason: finishReason }]),
    'nvlm.usage.image_tokens': usage.imageTokens,
    'nvlm.device': message.device,
    'nvlm.queue_ms': timings.queueMs,
    'nvlm.time_to_first_token_ms': timings.timeToFirstTokenMs,
  })
}

/** The kind of a failure: the code of an NVLMError, else the error's class. */
export function errorAttributes(error: unknown): Attributes {
  const type = NVLMError.isInstance(error) ? error.code : error instanceof Error ? error.name : '_OTHER'
  return { 'error.type': type }
}

function textPart(content: string): { readonly type: 'text'; readonly content: string } {
  return { type: 'text', content }
}

function withoutUndefined(attributes: Readonly<Record<string, AttributeValue | undefined>>): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))
}

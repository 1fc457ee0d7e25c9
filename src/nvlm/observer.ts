import { NVLMError } from '../core/errors.js'
import type { Diagnostics } from '../platform/platform.js'
import type { Message } from '../tokenizer/messages.js'
import type { GenerateRequest, GenerateResult } from './engine-client.js'
import type { Generation } from './generation.js'
import type { Logger } from './logger.js'
import { epochNow } from './run-clock.js'
import type { ModelInfo } from './stages.js'
import type { RecordedMessage, TelemetryMessages, TelemetryOptions } from './telemetry.js'

/** Where an observer writes to. */
export interface ObserverOptions {
  readonly diagnostics?: Diagnostics | undefined
  readonly logger?: Logger | undefined
  /** Of the model; those of a call come before them. */
  readonly telemetry?: false | TelemetryOptions | undefined
}

/** Tells channels and logger what a model does. With nobody on a channel its messages are not even made. */
export class Observer {
  constructor(private readonly options: ObserverOptions = {}) {}

  /** A model was loaded, or an error says why not. */
  loaded(modelId: string, startedAt: number, outcome: { info: ModelInfo } | { error: unknown }): void {
    const { logger, telemetry } = this.options
    const durationMs = epochNow() - startedAt
    if (telemetry !== false) this.publish('nvlm:load', () => ({ modelId, durationMs, ...outcome }))
    if ('error' in outcome) logger?.error(`${modelId} could not be loaded`, { error: outcome.error })
    else logger?.info(`${modelId} is loaded`, { durationMs, device: outcome.info.device })
  }

  /** Call inside of `generate`, so that subscribers see the caller's context. */
  watch(
    generation: Generation,
    request: GenerateRequest,
    info: ModelInfo,
    ofCall: false | TelemetryOptions | undefined,
  ): void {
    const { telemetry: ofModel } = this.options
    const isOff = ofCall === false || (ofModel === false && ofCall === undefined)
    const telemetry: TelemetryOptions = { ...(ofModel || {}), ...(ofCall || {}) }
    const base = { id: globalThis.crypto.randomUUID(), modelId: info.id }
    const durationMs = () => epochNow() - request.submittedAt
    if (!isOff) {
      this.publish('nvlm:generate:start', () => ({ ...base, ...describeRequest(request, info, telemetry) }))
    }
    const onResult = (result: GenerateResult) => {
      this.logResult(base, result)
      if (isOff) return
      this.publish('nvlm:generate:finish', () => ({
        ...base,
        durationMs: durationMs(),
        ...describeResult(result, telemetry),
      }))
    }
    const onError = (error: unknown) => {
      // a caller's abort is no failure
      if (generation.partial !== undefined) return onResult(generation.partial)
      this.logError(base, error)
      if (isOff) return
      this.publish('nvlm:generate:error', () => ({ ...base, durationMs: durationMs(), error }))
    }
    generation.then(onResult, onError)
  }

  private publish<Name extends keyof TelemetryMessages>(
    name: Name,
    message: () => TelemetryMessages[Name],
  ): void {
    const channel = this.options.diagnostics?.channel(name)
    if (channel?.hasSubscribers) channel.publish(message())
  }

  private logResult({ id }: { readonly id: string }, result: GenerateResult): void {
    const { logger } = this.options
    for (const warning of result.warnings) logger?.warn(warning, { id })
    const { finishReason, usage, timings } = result
    logger?.debug('a generation ended', { id, finishReason, usage, timings })
  }

  private logError({ id }: { readonly id: string }, error: unknown): void {
    const code = NVLMError.isInstance(error) ? error.code : undefined
    this.options.logger?.error('a generation failed', { id, code, error })
  }
}

function describeRequest(
  request: GenerateRequest,
  info: ModelInfo,
  { functionId, metadata, recordInputs }: TelemetryOptions,
) {
  const { messages, sampling, maxTokens, seed, stop, submittedAt } = request
  const parts = messages.flatMap(({ content }) => (Array.isArray(content) ? content : []))
  return {
    family: info.family,
    startedAt: submittedAt,
    functionId,
    metadata,
    numMessages: messages.length,
    numImages: parts.filter(({ type }) => type !== 'text').length,
    sampling,
    maxTokens,
    seed,
    stop,
    messages: recordInputs ? messages.map(recordMessage) : undefined,
  }
}

function describeResult(result: GenerateResult, { recordOutputs }: TelemetryOptions) {
  const { finishReason, usage, timings, device, warnings, text } = result
  return { finishReason, usage, timings, device, warnings, text: recordOutputs ? text : undefined }
}

function recordMessage({ role, content }: Message): RecordedMessage {
  if (typeof content === 'string') return { role, content }
  return { role, content: content.map(part => (part.type === 'text' ? part.text : '[image]')).join('') }
}

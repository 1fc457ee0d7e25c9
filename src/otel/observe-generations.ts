import {
  type Attributes,
  context,
  type Histogram,
  type MeterProvider,
  metrics,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TracerProvider,
  trace,
} from '@opentelemetry/api'
import type {
  GenerateErrorMessage,
  GenerateFinishMessage,
  GenerateStartMessage,
  TelemetryMessages,
} from '../nvlm/telemetry.js'
import { errorAttributes, finishAttributes, PROVIDER, startAttributes } from './attributes.js'

/** Where the messages come from; `node:diagnostics_channel` fits. */
export interface ChannelSource {
  subscribe(name: string, listener: (message: unknown) => void): void
  unsubscribe(name: string, listener: (message: unknown) => void): unknown
}

/** Where spans and measurements go; default: the global providers. */
export interface OpenTelemetryOptions {
  readonly tracerProvider?: TracerProvider | undefined
  readonly meterProvider?: MeterProvider | undefined
}

/** A generation under way. */
interface OpenSpan {
  readonly span: Span
  readonly attributes: Attributes
}

/** Makes one span of each generation, a child of the span that was active when `generate` was called. */
class GenerationSpans {
  private readonly open = new Map<string, OpenSpan>()
  private readonly duration: Histogram
  private readonly tokens: Histogram

  constructor(private readonly options: OpenTelemetryOptions) {
    const meter = (options.meterProvider ?? metrics).getMeter('nvlm-ts')
    this.duration = meter.createHistogram('gen_ai.client.operation.duration', { unit: 's' })
    this.tokens = meter.createHistogram('gen_ai.client.token.usage', { unit: '{token}' })
  }

  start(message: GenerateStartMessage): void {
    const tracer = (this.options.tracerProvider ?? trace).getTracer('nvlm-ts')
    const { modelId, startedAt } = message
    const settings = { kind: SpanKind.INTERNAL, startTime: startedAt, attributes: startAttributes(message) }
    const span = tracer.startSpan(`chat ${modelId}`, settings, context.active())
    const attributes = {
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': PROVIDER,
      'gen_ai.request.model': modelId,
    }
    this.open.set(message.id, { span, attributes })
  }

  finish(message: GenerateFinishMessage): void {
    const found = this.take(message.id)
    if (!found) return
    const { span, attributes } = found
    span.setAttributes(finishAttributes(message))
    span.end()
    this.duration.record(message.durationMs / 1000, attributes)
    const { promptTokens, completionTokens } = message.usage
    this.tokens.record(promptTokens, { ...attributes, 'gen_ai.token.type': 'input' })
    this.tokens.record(completionTokens, { ...attributes, 'gen_ai.token.type': 'output' })
  }

  fail({ id, error, durationMs }: GenerateErrorMessage): void {
    const found = this.take(id)
    if (!found) return
    const { span, attributes } = found
    const type = errorAttributes(error)
    span.setAttributes(type)
    // the message of an error may name files of this machine, its type does not
    span.setStatus({ code: SpanStatusCode.ERROR })
    span.end()
    this.duration.record(durationMs / 1000, { ...attributes, ...type })
  }

  /** End the spans whose generations will not be heard of any more. */
  close(): void {
    for (const { span } of this.open.values()) span.end()
    this.open.clear()
  }

  private take(id: string): OpenSpan | undefined {
    const found = this.open.get(id)
    this.open.delete(id)
    return found
  }
}

/**
 * Turn what is published on the channels into spans and measurements, named by OpenTelemetry's conventions for
 * generative AI.
 *
 * @returns stops it
 */
export function observeGenerations(source: ChannelSource, options: OpenTelemetryOptions = {}): () => void {
  const spans = new GenerationSpans(options)
  const listeners: { [Name in keyof TelemetryMessages]?: (message: TelemetryMessages[Name]) => void } = {
    'nvlm:generate:start': message => spans.start(message),
    'nvlm:generate:finish': message => spans.finish(message),
    'nvlm:generate:error': message => spans.fail(message),
  }
  const entries = Object.entries(listeners) as [string, (message: unknown) => void][]
  for (const [name, listener] of entries) source.subscribe(name, listener)
  return () => {
    for (const [name, listener] of entries) source.unsubscribe(name, listener)
    spans.close()
  }
}

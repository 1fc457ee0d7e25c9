import {
  type ContextManager,
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import { afterEach, describe, expect, test } from 'vitest'
import { Engine } from '../../src/nvlm/engine.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { Observer } from '../../src/nvlm/observer.js'
import { registerOpenTelemetry } from '../../src/otel.js'
import { nodeDiagnostics } from '../../src/platform/node/diagnostics.js'
import { FakeStages, nextTurn } from '../nvlm/fake-stages.js'

const spans = new InMemorySpanExporter()
const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] })
const measurements = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
const reader = new PeriodicExportingMetricReader({ exporter: measurements, exportIntervalMillis: 1e6 })
const meterProvider = new MeterProvider({ readers: [reader] })

let stop = () => {}

afterEach(() => {
  stop()
  spans.reset()
  context.disable()
})

function load(): NVLM {
  stop = registerOpenTelemetry({ tracerProvider, meterProvider })
  const engine = new Engine(new FakeStages({ answer: () => 'fine' }), { nextTurn })
  return new NVLM(engine, { observer: new Observer({ diagnostics: nodeDiagnostics }) })
}

async function ended(): Promise<readonly ReadableSpan[]> {
  await nextTurn()
  return spans.getFinishedSpans()
}

describe('OpenTelemetry', () => {
  test('gets a span of each generation with the conventions’ names', async () => {
    const nvlm = load()
    const options = {
      temperature: 0.5,
      topP: 0.9,
      topK: 5,
      seed: 3,
      stop: ['.'],
      maxTokens: 4,
      logitBias: {},
    }
    const { usage, finishReason } = await nvlm.generate('secret', {
      ...options,
      images: ['7*2'],
      telemetry: { functionId: 'f', metadata: { team: 'a' } },
    })
    const [span] = await ended()
    expect(span).toMatchObject({
      name: 'chat fake-model',
      kind: SpanKind.INTERNAL,
      status: { code: SpanStatusCode.UNSET },
    })
    expect(span?.attributes).toEqual({
      'gen_ai.operation.name': 'chat',
      'gen_ai.provider.name': 'nvlm-ts',
      'gen_ai.request.model': 'fake-model',
      'gen_ai.request.max_tokens': 4,
      'gen_ai.request.temperature': 0.5,
      'gen_ai.request.top_p': 0.9,
      'gen_ai.request.top_k': 5,
      'gen_ai.request.seed': 3,
      'gen_ai.request.stop_sequences': ['.'],
      'gen_ai.response.model': 'fake-model',
      'gen_ai.response.finish_reasons': [finishReason],
      'gen_ai.usage.input_tokens': usage.promptTokens,
      'gen_ai.usage.output_tokens': usage.completionTokens,
      'gen_ai.usage.cache_read.input_tokens': 0,
      'nvlm.family': 'fake',
      'nvlm.request.images': 1,
      'nvlm.function_id': 'f',
      'nvlm.metadata.team': 'a',
      'nvlm.usage.image_tokens': 4,
      'nvlm.device': 'cpu',
      'nvlm.queue_ms': expect.any(Number),
      'nvlm.time_to_first_token_ms': expect.any(Number),
    })
    const [seconds, nanos] = span!.duration
    expect(seconds + nanos / 1e9).toBeGreaterThan(0)
  })

  test('gets messages and answers only when asked to, and no picture ever', async () => {
    const telemetry = { recordInputs: true, recordOutputs: true }
    await load().generate('secret', { images: ['7'], telemetry })
    const { attributes } = (await ended())[0]!
    expect(JSON.parse(String(attributes['gen_ai.input.messages']))).toEqual([
      { role: 'user', parts: [{ type: 'text', content: '[image]secret' }] },
    ])
    expect(JSON.parse(String(attributes['gen_ai.output.messages']))).toEqual([
      { role: 'assistant', parts: [{ type: 'text', content: 'fine' }], finish_reason: 'stop' },
    ])
  })

  test('sees the caller’s span as the parent', async () => {
    const nvlm = load()
    const parent = tracerProvider.getTracer('test').startSpan('request')
    context.setGlobalContextManager(new FixedContext(trace.setSpan(ROOT_CONTEXT, parent)))
    await nvlm.generate('hi')
    const [span] = await ended()
    expect(span?.parentSpanContext?.spanId).toBe(parent.spanContext().spanId)
  })

  test('gets the kind of a failure, not its message', async () => {
    await load()
      .generate('hi', { images: ['/home/me/no.png'] })
      .catch(() => {})
    const [span] = await ended()
    expect(span?.status).toEqual({ code: SpanStatusCode.ERROR })
    expect(span?.attributes['error.type']).toBe('IMAGE_INPUT')
    expect(JSON.stringify(span?.attributes)).not.toContain('/home/me')
  })

  test('gets durations and token counts as measurements', async () => {
    await load().generate('hi')
    await nextTurn()
    await reader.forceFlush()
    const metrics = measurements.getMetrics().at(-1)!.scopeMetrics[0]!.metrics
    const byName = new Map(metrics.map(metric => [metric.descriptor.name, metric]))
    expect(byName.get('gen_ai.client.operation.duration')?.descriptor.unit).toBe('s')
    const types = byName.get('gen_ai.client.token.usage')?.dataPoints.map(({ attributes }) => attributes)
    expect(types).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ 'gen_ai.token.type': 'input', 'gen_ai.request.model': 'fake-model' }),
        expect.objectContaining({ 'gen_ai.token.type': 'output' }),
      ]),
    )
  })

  test('hears nothing any more when stopped; open spans are ended', async () => {
    const nvlm = load()
    const reply = nvlm.generate('hi')
    stop()
    expect(await ended()).toHaveLength(1)
    await reply
    await nvlm.generate('again')
    expect(await ended()).toHaveLength(1)
  })
})

/** One context for everything. */
class FixedContext implements ContextManager {
  constructor(private readonly fixed: ReturnType<typeof context.active>) {}
  active() {
    return this.fixed
  }
  with<Args extends unknown[], F extends (...args: Args) => ReturnType<F>>(
    _context: unknown,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: Args
  ): ReturnType<F> {
    return fn.apply(thisArg, args)
  }
  bind<T>(_context: unknown, target: T): T {
    return target
  }
  enable() {
    return this
  }
  disable() {
    return this
  }
}

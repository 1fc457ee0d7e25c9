import { NVLMError } from '../core/errors.js'
import { describeDevice } from '../nvlm/describe-device.js'
import type { GenerateRequest, GenerateResult, RunHooks } from '../nvlm/engine-client.js'
import { DEFAULT_MAX_TOKENS } from '../nvlm/engine-client.js'
import { RunClock } from '../nvlm/run-clock.js'
import type { ModelInfo } from '../nvlm/stages.js'
import type { Clock } from '../platform/hub-platform.js'
import { type AnswerCheck, createAnswerCheck } from './answer-check.js'
import { parseChatChunk } from './chat-chunk.js'
import { chatRequest, requestWarnings } from './chat-request.js'
import type { ChatServer } from './chat-server.js'
import { type PictureReader, pictureUrl } from './picture-url.js'
import { RemoteAnswer } from './remote-answer.js'
import type { RemoteSettings } from './remote-options.js'
import type { Replica, Replicas } from './replicas.js'
import { atSomeReplica } from './request-retries.js'
import { RetryableFailure } from './retryable-failure.js'
import { wordsOf } from './server-refusal.js'
import { sseEvents } from './sse-events.js'
import { StreamWatch } from './stream-watch.js'
import { wireMessages } from './wire-messages.js'
import { wireTiles } from './wire-tiles.js'

/** What all runs of a remote model share. */
export interface RemoteContext {
  readonly info: ModelInfo
  readonly settings: RemoteSettings
  readonly replicas: Replicas
  readonly pictures: PictureReader
  readonly clock: Clock
}

/** Bytes of a stream that a token may take, with 20 alternatives and their texts, and what comes beside. */
const BYTES_PER_TOKEN = 8_192
const STREAM_BYTES = 4_194_304

/** Longer prompts than this are not asked to be repeated as token ids: that must fit into one event. */
const MAX_ECHOED_TOKENS = 100_000

/** One request on its way to a server and back. */
export class RemoteRun {
  private readonly times: RunClock
  private readonly answer: RemoteAnswer
  private readonly warnings: string[]
  private readonly seed = randomSeed()
  private hasStarted = false

  constructor(
    private readonly context: RemoteContext,
    private readonly request: GenerateRequest,
    private readonly hooks: RunHooks,
  ) {
    this.times = new RunClock(request.submittedAt)
    this.warnings = requestWarnings(request, context.settings)
    this.answer = new RemoteAnswer(request, hooks.onEvent)
  }

  /** @throws {NVLMError} as `EngineClient.run`, and REMOTE_FAILED, UNAUTHORIZED; the signal's reason on abort */
  async execute(): Promise<void> {
    this.times.enter('preprocess')
    const check = await createAnswerCheck(this.request.format)
    const body = await this.writeBody()
    this.times.enter('prefill')
    try {
      await this.ask(body)
    } catch (error) {
      if (!this.mayAskForLess(error)) throw error
      const { max_tokens, ...rest } = body
      this.warnings.push(`maxTokens: less than ${max_tokens}, no more fit behind the prompt`)
      await this.ask(rest)
    }
    this.check(check)
  }

  /** What there is: the whole after `execute`, the beginning after an abort. */
  result(): GenerateResult {
    this.times.enter(undefined)
    const { info } = this.context
    const answer = this.answer.result()
    return {
      ...answer,
      ...(this.request.sampling.temperature && { seed: this.request.seed ?? this.seed }),
      timings: this.times.timings(answer.usage.completionTokens),
      device: describeDevice(info),
      warnings: [...this.warnings, ...this.answer.warnings],
      modelId: info.id,
    }
  }

  private async writeBody(): Promise<Record<string, unknown>> {
    const { request, hooks, context } = this
    const { dialect } = context.settings
    const tiles = wireTiles(request, dialect)
    const { applyExif = true } = request
    const urlOf = (image: unknown) => pictureUrl(image, applyExif, context.pictures, hooks.signal)
    const messages = await wireMessages(request.messages, urlOf, tiles.details)
    const seed = request.seed ?? this.seed
    const { id: model, contextLength } = context.info
    const body = chatRequest(request, { model, dialect, messages, tiles, seed })
    if (Number.isFinite(contextLength) && contextLength > MAX_ECHOED_TOKENS) delete body.return_token_ids
    return body
  }

  private ask(body: Record<string, unknown>): Promise<void> {
    const { replicas, clock, settings } = this.context
    const { maxRetries } = settings
    const canRetry = () => !this.answer.hasBegun
    const { signal } = this.hooks
    return atSomeReplica({ replicas, clock, maxRetries, signal, canRetry }, replica =>
      this.askReplica(replica, body),
    )
  }

  private async askReplica({ server }: Replica, body: Record<string, unknown>): Promise<void> {
    const watch = new StreamWatch(server.name, this.context.settings, this.hooks.signal)
    try {
      const response = await server.send({ path: 'chat/completions', body, signal: watch.signal })
      this.start()
      await this.readStream(server, response, watch)
    } catch (error) {
      this.hooks.signal.throwIfAborted()
      watch.signal.throwIfAborted()
      throw error instanceof RetryableFailure || NVLMError.isInstance(error)
        ? error
        : server.unreachable(error)
    } finally {
      watch.stop()
    }
  }

  private async readStream(server: ChatServer, response: Response, watch: StreamWatch): Promise<void> {
    const type = response.headers.get('content-type') ?? 'nothing'
    if (!response.body || !/^text\/event-stream\b/i.test(type)) {
      await response.body?.cancel()
      throw new NVLMError(
        'REMOTE_FAILED',
        `${server.name} answered ${type.slice(0, 80)}, expected an event stream`,
        {
          hint: 'Check remote.baseURL: something else than a chat server answers.',
        },
      )
    }
    for await (const data of sseEvents(response.body, this.maxStreamBytes)) {
      if (data === '[DONE]') break
      const chunk = parseChatChunk(data, body => wordsOf(body, server.secrets))
      if (!this.answer.take(chunk)) continue
      watch.advance()
      this.times.enter('decode')
    }
    if (this.answer.finishReason === undefined) {
      throw server.unreachable(new Error('the stream ended before the answer did'))
    }
  }

  private get maxStreamBytes(): number {
    const { contextLength } = this.context.info
    const room = Number.isFinite(contextLength) ? Math.min(contextLength, 1_048_576) : 131_072
    return STREAM_BYTES + BYTES_PER_TOKEN * Math.min(this.request.maxTokens ?? DEFAULT_MAX_TOKENS, room)
  }

  /** Nobody asked for that many tokens, so fewer are as good. */
  private mayAskForLess(error: unknown): boolean {
    const isOverflow = NVLMError.isInstance(error) && error.code === 'CONTEXT_OVERFLOW'
    return isOverflow && this.request.maxTokens === undefined && !this.answer.hasBegun
  }

  private start(): void {
    if (this.hasStarted) return
    this.hasStarted = true
    this.hooks.onEvent({ type: 'start', modelId: this.context.info.id, warnings: [...this.warnings] })
  }

  private check(check: AnswerCheck): void {
    const { text, finishReason } = this.answer.result()
    check(text, finishReason)
  }
}

function randomSeed(): number {
  return globalThis.crypto.getRandomValues(new Uint32Array(1))[0]!
}

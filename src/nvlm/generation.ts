import type { EngineEvent, GenerateResult, RunHooks } from './engine-client.js'
import {
  GenerationEmitter,
  type GenerationEventName,
  type GenerationEvents,
  type GenerationListener,
  type GenerationStatus,
} from './generation-events.js'
import { PartLog } from './part-log.js'
import { PartReaders } from './part-readers.js'
import { type ObjectOf, type PartialValue, partialObjects } from './partial-objects.js'
import {
  CONTENT_TYPES,
  createByteStream,
  type ReadableStreamOptions,
  type ResponseOptions,
} from './stream-format.js'
import type { StreamPart } from './stream-parts.js'
import type { ToolCall, ToolResult } from './tool-types.js'

/**
 * One answer in the making: iterate it for text, await it for the result, listen to its events, or all of these.
 *
 * - It starts on the next microtask, whoever looks. All ways share one run. A late reader gets everything from the
 *   start, a late listener the text so far and the end; `token` and `progress` are told as they happen only.
 * - A slow reader holds nothing up: what it has not read yet is the text itself, and it gets that in larger pieces.
 * - `abort()` and the signal stop the compute within one step or prefill chunk; then awaiting and iterating throw the
 *   reason. `partial` has what there was.
 * - Leaving a `for await` loop or cancelling a stream stops the compute too, unless another one still reads. That is no failure: awaiting it
 *   then gives the partial result, `finishReason` `aborted`.
 * - Nobody has to look: a failure that nobody awaits is no unhandled rejection.
 */
export class Generation<Result extends GenerateResult = GenerateResult>
  implements AsyncIterable<string>, Promise<Result>, AsyncDisposable
{
  readonly [Symbol.toStringTag] = 'Generation'
  private readonly emitter = new GenerationEmitter(name => this.missed(name))
  private readonly controller = new AbortController()
  private readonly log = new PartLog()
  private readonly readers = new PartReaders({
    log: this.log,
    failure: () => this.failure,
    onLeft: () => this.leave(),
  })
  private readonly outcome: Promise<Result>
  private currentStatus: GenerationStatus = 'idle'
  private partialResult: GenerateResult | undefined
  private failure: { readonly reason: unknown } | undefined
  private ending: { readonly name: GenerationEventName; readonly args: readonly unknown[] } | undefined
  private wasLeft = false

  /**
   * @param run - the work; called once
   * @param signal - the caller's
   */
  constructor(run: (hooks: RunHooks) => Promise<Result>, signal?: AbortSignal) {
    this.outcome = this.execute(run, signal)
    this.outcome.catch(() => {})
  }

  get status(): GenerationStatus {
    return this.currentStatus
  }

  /** What there was when it was aborted; undefined before that, and for any other end. */
  get partial(): GenerateResult | undefined {
    return this.partialResult
  }

  /** What happens, in order, from the start; progress that nobody waited for is left out. Throws as awaiting does. */
  get parts(): AsyncIterable<StreamPart> {
    return { [Symbol.asyncIterator]: () => this.readers.open() }
  }

  on<Name extends GenerationEventName>(name: Name, listener: GenerationListener<Name, Result>): this {
    this.emitter.add(name, listener as never, { once: false })
    return this
  }

  once<Name extends GenerationEventName>(name: Name, listener: GenerationListener<Name, Result>): this {
    this.emitter.add(name, listener as never, { once: true })
    return this
  }

  off<Name extends GenerationEventName>(name: Name, listener: GenerationListener<Name, Result>): this {
    this.emitter.remove(name, listener as never)
    return this
  }

  /** Stop the compute. Does nothing when it has ended. */
  abort(reason?: unknown): void {
    if (!this.hasEnded()) this.controller.abort(reason)
  }

  /** The result; rejects as awaiting does. */
  result(): Promise<Result> {
    return this.outcome
  }

  /** The whole answer. */
  async text(): Promise<Result['text']> {
    return (await this.outcome).text
  }

  /** The value of an answer that was held to a `schema`. */
  async object(): Promise<ObjectOf<Result>> {
    return ((await this.outcome) as { readonly object?: unknown }).object as ObjectOf<Result>
  }

  /** The value of an answer in JSON as it grows, each time that something new is certain. */
  get partialObjects(): AsyncIterable<PartialValue<ObjectOf<Result>>> {
    return partialObjects(this) as AsyncIterable<PartialValue<ObjectOf<Result>>>
  }

  // biome-ignore lint/suspicious/noThenProperty: being awaited is what a generation is for
  then<Fulfilled = Result, Rejected = never>(
    onFulfilled?: ((result: Result) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.outcome.then(onFulfilled, onRejected)
  }

  catch<Rejected = never>(
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Result | Rejected> {
    return this.outcome.catch(onRejected)
  }

  finally(onFinally?: (() => void) | null): Promise<Result> {
    return this.outcome.finally(onFinally)
  }

  /** Pieces of the answer from the start; joined, they are its text. */
  [Symbol.asyncIterator](): AsyncIterator<string, undefined> {
    return this.readers.openText()
  }

  /** The answer as bytes. The stream is a reader from now on: cancelling it stops the compute. */
  toReadableStream(options: ReadableStreamOptions = {}): ReadableStream<Uint8Array> {
    const textOnly = (options.format ?? 'text') === 'text'
    const parts = this.readers.open({ textOnly, isReading: true })
    return createByteStream(parts, options, () => this.controller.signal.aborted)
  }

  /** An HTTP response that streams the answer, by default as server-sent events. A client that leaves stops the compute. */
  toResponse(options: ResponseOptions = {}): Response {
    const { status = 200, format = 'sse', onError } = options
    const headers = new Headers({ 'content-type': CONTENT_TYPES[format], 'cache-control': 'no-cache' })
    for (const [name, value] of Object.entries(options.headers ?? {})) headers.set(name, value)
    return new Response(this.toReadableStream({ format, onError }), { status, headers })
  }

  /** Stop if it still runs, and wait until the compute has stopped. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.abort()
    await this.outcome.catch(() => {})
  }

  private async execute(
    run: (hooks: RunHooks) => Promise<Result>,
    signal: AbortSignal | undefined,
  ): Promise<Result> {
    const onAbort = () => this.abort(signal?.reason)
    if (signal?.aborted) onAbort()
    else signal?.addEventListener('abort', onAbort, { once: true })
    await Promise.resolve()
    this.currentStatus = 'queued'
    try {
      const hooks = { signal: this.controller.signal, onEvent: (event: EngineEvent) => this.take(event) }
      return this.settle(await run(hooks))
    } catch (error) {
      throw this.fail(error)
    } finally {
      signal?.removeEventListener('abort', onAbort)
      this.log.close()
    }
  }

  private settle(result: Result): Result {
    const { aborted, reason } = this.controller.signal
    if (aborted) this.partialResult = result
    if (aborted && !this.wasLeft) throw reason
    this.currentStatus = aborted ? 'aborted' : 'done'
    const { finishReason, usage, timings, warnings } = result
    this.log.push({ type: 'finish', finishReason, usage, timings, warnings })
    if (aborted) this.end('abort', reason, result)
    else this.end('finish', result)
    return result
  }

  /** End with a failure; gives what to reject with. */
  private fail(error: unknown): unknown {
    const { aborted, reason } = this.controller.signal
    this.currentStatus = aborted ? 'aborted' : 'error'
    this.failure = { reason: aborted ? reason : error }
    if (aborted) this.end('abort', reason, this.partialResult)
    else this.end('error', error)
    return this.failure.reason
  }

  private take(event: EngineEvent): void {
    if (event.type === 'start') {
      this.currentStatus = 'running'
      this.log.push(event)
    } else if (event.type === 'image') this.log.push(event)
    else if (event.type === 'progress') this.takeProgress(event)
    else if (event.type === 'tool-call' || event.type === 'tool-result') this.takeTool(event)
    else this.takeText(event)
  }

  private takeText(event: Extract<EngineEvent, { type: 'token' | 'text' }>): void {
    const { text } = event
    if (text !== '') this.log.push({ type: 'text', text })
    // what was on its way when the caller said stop is in the log and in `partial`, but no news any more
    const { signal } = this.controller
    if (event.type === 'token' && !signal.aborted) {
      const { id, index, logprob } = event
      this.emitter.emit('token', { id, index, text, ...(logprob && { logprob }) })
    }
    if (text !== '' && !signal.aborted) this.emitter.emit('text', text, this.log.text)
  }

  private takeTool(event: Extract<EngineEvent, { type: 'tool-call' | 'tool-result' }>): void {
    this.log.push(event)
    if (this.controller.signal.aborted) return
    const { type, ...tool } = event
    if (type === 'tool-call') this.emitter.emit('toolCall', tool as ToolCall)
    else this.emitter.emit('toolResult', tool as ToolResult)
  }

  private takeProgress({ stage, done, total }: Extract<EngineEvent, { type: 'progress' }>): void {
    if (stage === 'prefill') this.log.push({ type: 'prefill', done, total })
    this.emitter.emit('progress', { stage, done, total })
  }

  /** Emit the last event, and keep it for late listeners. */
  private end<Name extends GenerationEventName>(name: Name, ...args: GenerationEvents[Name]): void {
    this.ending = { name, args }
    this.emitter.emit(name, ...args)
  }

  /** What a listener that comes now has missed. */
  private missed<Name extends GenerationEventName>(name: Name): GenerationEvents[Name] | undefined {
    const { text } = this.log
    if (name === 'text' && text !== '') return [text, text] as never
    return this.ending?.name === name ? (this.ending.args as never) : undefined
  }

  /** The last reader went away: the work stops. */
  private async leave(): Promise<void> {
    if (this.hasEnded()) return
    if (!this.controller.signal.aborted) {
      this.wasLeft = true
      this.abort(new DOMException('the loop over the answer was left', 'AbortError'))
    }
    await this.outcome.catch(() => {})
  }

  private hasEnded(): boolean {
    return this.currentStatus === 'done' || this.currentStatus === 'aborted' || this.currentStatus === 'error'
  }
}

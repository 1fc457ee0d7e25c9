import { EventEmitter } from 'eventemitter3'
import { DeltaLog } from './delta-log.js'
import type { EngineEvent, GenerateResult, RunHooks } from './engine-client.js'
import type { TokenLogprob } from './token-logprob.js'

/** Where a generation stands. */
export type GenerationStatus = 'idle' | 'queued' | 'running' | 'done' | 'aborted' | 'error'

/** One token of the answer. */
export interface TokenEvent {
  readonly id: number
  /** 0 for the first. */
  readonly index: number
  /** Text that is certain because of this token; empty while a character, a stop string or white space may go on. */
  readonly text: string
  /** With the option `logprobs` only. */
  readonly logprob?: TokenLogprob | undefined
}

/** How far the work before the first token is. */
export interface GenerationProgress {
  /** `vision` counts images, `prefill` tokens of the prompt. */
  readonly stage: 'vision' | 'prefill'
  readonly done: number
  readonly total: number
}

/** Events of a generation and what their listeners get. */
export interface GenerationEvents {
  progress: [progress: GenerationProgress]
  token: [token: TokenEvent]
  /** A piece of text and all text so far. */
  text: [delta: string, text: string]
  finish: [result: GenerateResult]
  /** The reason, and what there was by then; undefined if the run failed on its way out. */
  abort: [reason: unknown, partial: GenerateResult | undefined]
  error: [error: unknown]
}

type EventName = keyof GenerationEvents
type Listener<Name extends EventName> = (...args: GenerationEvents[Name]) => void

/**
 * One answer in the making: iterate it for text, await it for the result, listen to its events, or all of these.
 *
 * - It starts on the next microtask, whoever looks. All ways share one run; a late reader gets everything from the start.
 * - `abort()` and the signal stop the compute within one step or prefill chunk; then awaiting and iterating throw the
 *   reason. `partial` has what there was.
 * - Leaving a `for await` loop stops the compute too, unless another loop still reads. That is no failure: awaiting it
 *   then gives the partial result, `finishReason` `aborted`.
 * - Nobody has to look: a failure that nobody awaits is no unhandled rejection.
 */
export class Generation implements AsyncIterable<string>, Promise<GenerateResult>, AsyncDisposable {
  readonly [Symbol.toStringTag] = 'Generation'
  private readonly emitter = new EventEmitter<GenerationEvents>()
  private readonly controller = new AbortController()
  private readonly log = new DeltaLog()
  private readonly outcome: Promise<GenerateResult>
  private currentStatus: GenerationStatus = 'idle'
  private partialResult: GenerateResult | undefined
  private failure: { readonly reason: unknown } | undefined
  private numReaders = 0
  private wasLeft = false

  /**
   * @param run - the work; called once
   * @param signal - the caller's
   */
  constructor(run: (hooks: RunHooks) => Promise<GenerateResult>, signal?: AbortSignal) {
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

  on<Name extends EventName>(name: Name, listener: Listener<Name>): this {
    this.emitter.on(name, listener as never)
    return this
  }

  once<Name extends EventName>(name: Name, listener: Listener<Name>): this {
    this.emitter.once(name, listener as never)
    return this
  }

  off<Name extends EventName>(name: Name, listener: Listener<Name>): this {
    this.emitter.off(name, listener as never)
    return this
  }

  /** Stop the compute. Does nothing when it has ended. */
  abort(reason?: unknown): void {
    if (!this.hasEnded()) this.controller.abort(reason)
  }

  /** The result; rejects as awaiting does. */
  result(): Promise<GenerateResult> {
    return this.outcome
  }

  /** The whole answer. */
  async text(): Promise<string> {
    return (await this.outcome).text
  }

  // biome-ignore lint/suspicious/noThenProperty: being awaited is what a generation is for
  then<Fulfilled = GenerateResult, Rejected = never>(
    onFulfilled?: ((result: GenerateResult) => Fulfilled | PromiseLike<Fulfilled>) | null,
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<Fulfilled | Rejected> {
    return this.outcome.then(onFulfilled, onRejected)
  }

  catch<Rejected = never>(
    onRejected?: ((reason: unknown) => Rejected | PromiseLike<Rejected>) | null,
  ): Promise<GenerateResult | Rejected> {
    return this.outcome.catch(onRejected)
  }

  finally(onFinally?: (() => void) | null): Promise<GenerateResult> {
    return this.outcome.finally(onFinally)
  }

  /** Pieces of the answer from the start; joined, they are its text. */
  [Symbol.asyncIterator](): AsyncIterator<string, undefined> {
    let index = 0
    let state: 'new' | 'reading' | 'left' = 'new'
    const leave = () => {
      if (state === 'reading') this.numReaders--
      state = 'left'
    }
    const end = { value: undefined, done: true } as const
    return {
      next: async () => {
        if (state === 'new') this.numReaders++
        if (state !== 'left') state = 'reading'
        const delta = await this.log.at(index++, () => state === 'left')
        if (delta !== undefined) return { value: delta, done: false }
        if (state !== 'left' && this.failure) {
          leave()
          throw this.failure.reason
        }
        leave()
        return end
      },
      return: async () => {
        const wasReading = state === 'reading'
        leave()
        if (wasReading) await this.leave()
        return end
      },
    }
  }

  /** Stop if it still runs, and wait until the compute has stopped. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.abort()
    await this.outcome.catch(() => {})
  }

  private async execute(
    run: (hooks: RunHooks) => Promise<GenerateResult>,
    signal: AbortSignal | undefined,
  ): Promise<GenerateResult> {
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

  private settle(result: GenerateResult): GenerateResult {
    const { aborted, reason } = this.controller.signal
    if (!aborted) {
      this.currentStatus = 'done'
      this.emit('finish', result)
      return result
    }
    this.partialResult = result
    if (!this.wasLeft) throw reason
    this.currentStatus = 'aborted'
    this.emit('abort', reason, result)
    return result
  }

  /** End with a failure; gives what to reject with. */
  private fail(error: unknown): unknown {
    const { aborted, reason } = this.controller.signal
    this.currentStatus = aborted ? 'aborted' : 'error'
    this.failure = { reason: aborted ? reason : error }
    if (aborted) this.emit('abort', reason, this.partialResult)
    else this.emit('error', error)
    return this.failure.reason
  }

  private take(event: EngineEvent): void {
    if (event.type === 'start') this.currentStatus = 'running'
    else if (event.type === 'progress') {
      const { stage, done, total } = event
      this.emit('progress', { stage, done, total })
    } else {
      const { id, index, text, logprob } = event
      if (text !== '') this.log.push(text)
      // what was on its way when the caller said stop is in the log and in `partial`, but no news any more
      if (this.controller.signal.aborted) return
      this.emit('token', { id, index, text, ...(logprob && { logprob }) })
      if (text !== '' && !this.controller.signal.aborted) this.emit('text', text, this.log.text)
    }
  }

  /** A listener that throws must not end the run: its error surfaces as uncaught, like that of a DOM listener. */
  private emit<Name extends EventName>(name: Name, ...args: GenerationEvents[Name]): void {
    try {
      this.emitter.emit(name, ...(args as never))
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }

  /** A reader went away; with the last one the work stops. */
  private async leave(): Promise<void> {
    this.log.wake()
    if (this.numReaders > 0 || this.hasEnded()) return
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

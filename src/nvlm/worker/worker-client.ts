import { NVLMError } from '../../core/errors.js'
import { untilAborted } from '../../core/until-aborted.js'
import type { OpenedImage } from '../../platform/image-input.js'
import { emptyResult } from '../empty-result.js'
import {
  DISPOSED_MESSAGE,
  type EmbedRequest,
  type EngineCalls,
  type EngineClient,
  type EngineEvent,
  type GenerateRequest,
  type GenerateResult,
  type ImageEmbeddings,
  type PreparedInfo,
  type PromptRequest,
  type RunHooks,
  type Usage,
} from '../engine-client.js'
import { linkSignals } from '../link-signals.js'
import type { ModelInfo } from '../stages.js'
import type { EnginePort, Transfer } from './engine-port.js'
import { makePortable, type PictureCourier, type PortableRequest } from './portable-request.js'
import {
  decodeError,
  type EngineAnswer,
  type EngineCallMessage,
  engineFailed,
  type HostMessage,
  type WorkerMessage,
} from './protocol.js'

/** A request that the worker has not answered yet. */
interface Pending {
  resolve(value: EngineAnswer): void
  reject(error: unknown): void
  readonly onEvent: ((event: EngineEvent) => void) | undefined
}

/**
 * The host's side of an engine in a worker. The worker is never killed, it ends by itself when told to: killing it
 * inside a run of ONNX Runtime would abort the whole process.
 */
export class WorkerClient implements EngineClient {
  private readonly pending = new Map<number, Pending>()
  private readonly exited: Promise<void>
  private nextId = 0
  private numHolds = 0
  /** Requests are sent in the order they came, though some have to read pictures first. */
  private outbox: Promise<unknown> = Promise.resolve()
  /** Aborts when there will be no worker to send anything to. */
  private readonly ending = new AbortController()
  private crash: NVLMError | undefined
  private disposing: Promise<void> | undefined

  /** @param port - to a worker that is loaded and idle; owned from now on */
  constructor(
    private readonly port: EnginePort,
    readonly info: ModelInfo,
    private readonly pictures: PictureCourier,
  ) {
    this.exited = new Promise(resolve => {
      port.listen({
        onMessage: message => this.take(message),
        onError: cause => this.fail(cause),
        onExit: why => {
          this.fail(why)
          resolve()
        },
      })
    })
    port.unref()
  }

  run(request: GenerateRequest, { signal, onEvent }: RunHooks): Promise<GenerateResult> {
    return this.busy(async () => {
      const portable = await this.portable(request, signal).catch(error => {
        if (!signal.aborted) throw error
      })
      if (portable === undefined || signal.aborted) return emptyResult(this.info)
      const id = this.nextId++
      const message: HostMessage = { type: 'run', id, request: portable.request }
      const answer = this.ask(message, portable.transfer, onEvent)
      return (await this.abortable(id, signal, answer)) as GenerateResult
    })
  }

  countTokens(request: PromptRequest): Promise<Usage> {
    return this.call('countTokens', request)
  }

  prepareImage(request: PromptRequest, signal: AbortSignal): Promise<PreparedInfo> {
    return this.call('prepareImage', request, signal)
  }

  releaseImage(id: string): void {
    if (!this.crash && !this.disposing) this.post({ type: 'release-image', imageId: id })
  }

  embedImages(request: EmbedRequest, signal: AbortSignal): Promise<ImageEmbeddings> {
    return this.call('embedImages', request, signal)
  }

  async openImage(image: unknown, signal?: AbortSignal): Promise<OpenedImage> {
    this.assertUsable()
    return this.untilEnding(signal, both => this.pictures.open(image, both))
  }

  private call<Name extends keyof EngineCalls>(
    name: Name,
    request: EngineCalls[Name]['request'],
    signal?: AbortSignal,
  ): Promise<EngineCalls[Name]['value']> {
    return this.busy(async () => {
      const portable = await this.portable(request, signal)
      signal?.throwIfAborted()
      const id = this.nextId++
      const message = { type: 'call', id, name, request: portable.request } as EngineCallMessage
      const answer = this.ask(message, portable.transfer)
      const value = await this.abortable(id, signal, answer)
      return value as EngineCalls[Name]['value']
    })
  }

  /** Pass the signal's abort on; the worker's own reason for stopping then becomes the caller's. */
  private async abortable<T>(id: number, signal: AbortSignal | undefined, answer: Promise<T>): Promise<T> {
    const onAbort = () => this.post({ type: 'abort', id })
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return await answer
    } catch (error) {
      signal?.throwIfAborted()
      throw error
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  dispose(): Promise<void> {
    this.disposing ??= this.close()
    return this.disposing
  }

  private async close(): Promise<void> {
    if (this.crash) return
    this.ending.abort(new NVLMError('DISPOSED', DISPOSED_MESSAGE))
    this.hold()
    this.post({ type: 'dispose' })
    await this.exited
  }

  /** Keep the process alive while `work` runs. */
  private async busy<T>(work: () => Promise<T>): Promise<T> {
    this.assertUsable()
    this.hold()
    try {
      return await work()
    } finally {
      this.release()
    }
  }

  private hold(): void {
    if (this.numHolds++ === 0) this.port.ref()
  }

  private release(): void {
    if (--this.numHolds === 0) this.port.unref()
  }

  private portable<Request extends PromptRequest>(
    request: Request,
    signal: AbortSignal | undefined,
  ): Promise<PortableRequest<Request>> {
    const before = this.outbox
    const portable = this.untilEnding(signal, async both => {
      await before
      both.throwIfAborted()
      return makePortable(request, this.pictures, both)
    })
    // one that is aborted while it waits lets nobody pass those before it
    this.outbox = Promise.allSettled([before, portable]).then(() => {})
    return portable
  }

  /** Do something for as long as somebody wants it and the worker lives. */
  private async untilEnding<T>(
    outer: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { signal, unlink } = linkSignals(this.ending.signal, ...(outer ? [outer] : []))
    try {
      return await untilAborted(work(signal), signal)
    } finally {
      unlink()
    }
  }

  private async ask(
    message: Extract<HostMessage, { id: number }>,
    transfer: Transfer,
    onEvent?: (event: EngineEvent) => void,
  ): Promise<EngineAnswer> {
    this.assertUsable()
    const { id } = message
    try {
      return await new Promise((resolve, reject) => {
        this.pending.set(id, { resolve, reject, onEvent })
        this.port.post(message, transfer)
      })
    } finally {
      this.pending.delete(id)
    }
  }

  private take(message: WorkerMessage): void {
    if (!('id' in message)) return
    const pending = this.pending.get(message.id)
    if (message.type === 'event') pending?.onEvent?.(message.event)
    else if (message.type === 'done') pending?.resolve(message.value)
    else pending?.reject(decodeError(message.error))
  }

  /** The worker died: so does everything that waits for it. */
  private fail(cause: unknown): void {
    this.crash ??= engineFailed(cause)
    const error = this.disposing ? new NVLMError('DISPOSED', DISPOSED_MESSAGE) : this.crash
    this.ending.abort(error)
    for (const { reject } of this.pending.values()) reject(error)
  }

  private assertUsable(): void {
    if (this.disposing) throw new NVLMError('DISPOSED', DISPOSED_MESSAGE)
    if (this.crash) throw this.crash
  }

  private post(message: HostMessage): void {
    this.port.post(message)
  }
}

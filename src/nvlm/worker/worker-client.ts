import type { Worker } from 'node:worker_threads'
import { NVLMError } from '../../core/errors.js'
import { emptyResult } from '../empty-result.js'
import {
  DISPOSED_MESSAGE,
  type EngineClient,
  type EngineEvent,
  type GenerateRequest,
  type GenerateResult,
  type PromptRequest,
  type RunHooks,
  type Usage,
} from '../engine-client.js'
import type { ModelInfo } from '../stages.js'
import { makePortable, type PortableRequest } from './portable-request.js'
import { decodeError, engineFailed, type HostMessage, type WorkerMessage } from './protocol.js'

/** A request that the worker has not answered yet. */
interface Pending {
  resolve(value: GenerateResult | Usage): void
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
  private crash: NVLMError | undefined
  private disposing: Promise<void> | undefined

  /** @param worker - loaded and idle, owned from now on */
  constructor(
    private readonly worker: Worker,
    readonly info: ModelInfo,
  ) {
    worker.on('message', (message: WorkerMessage) => this.take(message))
    worker.on('error', cause => this.fail(cause))
    worker.on('messageerror', cause => this.fail(cause))
    this.exited = new Promise(resolve => {
      worker.on('exit', code => {
        this.fail(new Error(`it exited with code ${code}`))
        resolve()
      })
    })
    worker.unref()
  }

  run(request: GenerateRequest, { signal, onEvent }: RunHooks): Promise<GenerateResult> {
    return this.busy(async () => {
      const portable = await this.portable(request)
      if (signal.aborted) return emptyResult(this.info)
      const id = this.nextId++
      const onAbort = () => this.post({ type: 'abort', id })
      signal.addEventListener('abort', onAbort, { once: true })
      try {
        const message: HostMessage = { type: 'run', id, request: portable.request }
        return (await this.ask(message, portable.transfer, onEvent)) as GenerateResult
      } finally {
        signal.removeEventListener('abort', onAbort)
      }
    })
  }

  countTokens(request: PromptRequest): Promise<Usage> {
    return this.busy(async () => {
      const portable = await this.portable(request)
      const message: HostMessage = { type: 'count', id: this.nextId++, request: portable.request }
      return (await this.ask(message, portable.transfer)) as Usage
    })
  }

  dispose(): Promise<void> {
    this.disposing ??= this.close()
    return this.disposing
  }

  private async close(): Promise<void> {
    if (this.crash) return
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
    if (this.numHolds++ === 0) this.worker.ref()
  }

  private release(): void {
    if (--this.numHolds === 0) this.worker.unref()
  }

  private async portable<Request extends PromptRequest>(request: Request): Promise<PortableRequest<Request>> {
    const portable = this.outbox.then(() => makePortable(request))
    this.outbox = portable.catch(() => {})
    return portable
  }

  private async ask(
    message: Extract<HostMessage, { id: number }>,
    transfer: readonly ArrayBuffer[],
    onEvent?: (event: EngineEvent) => void,
  ): Promise<GenerateResult | Usage> {
    this.assertUsable()
    const { id } = message
    try {
      return await new Promise((resolve, reject) => {
        this.pending.set(id, { resolve, reject, onEvent })
        this.worker.postMessage(message, transfer)
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
    for (const { reject } of this.pending.values()) reject(error)
  }

  private assertUsable(): void {
    if (this.disposing) throw new NVLMError('DISPOSED', DISPOSED_MESSAGE)
    if (this.crash) throw this.crash
  }

  private post(message: HostMessage): void {
    this.worker.postMessage(message)
  }
}

import { NVLMError } from '../../core/errors.js'
import { untilAborted } from '../../core/until-aborted.js'
import type { OpenedImage } from '../../platform/image-input.js'
import { emptyResult } from '../empty-result.js'
import {
  DISPOSED_MESSAGE,
  type EmbedRequest,
  type EngineClient,
  type EngineStatus,
  type GenerateRequest,
  type GenerateResult,
  type ImageEmbeddings,
  type PreparedInfo,
  type PromptRequest,
  type RunHooks,
  type Usage,
} from '../engine-client.js'
import type { ModelInfo } from '../stages.js'
import type { EngineProcess } from './engine-process-client.js'

/** Pauses before the engine is started again after a start that failed, in ms; the last one repeats. */
const RETRY_DELAYS_MS = [1000, 2000, 4000, 8000, 16_000, 30_000]

/** How long an engine may take to stop by itself when the model is disposed. */
const MAX_STOP_MS = 5000

/** How a process is watched over. */
export interface SupervisorOptions {
  /** Silence after which a process that has something to do is killed. */
  readonly stallTimeoutMs: number
  readonly onWarning?: ((message: string) => void) | undefined
}

/**
 * An engine in a process that is killed when it hangs and started again when it has ended.
 *
 * What ran in it fails with ENGINE_FAILED and is not repeated, since it may be what killed it. What comes while it
 * starts again waits for that; what comes after a start that failed, fails as well until the next try succeeds.
 */
export class SupervisedEngine implements EngineClient {
  readonly info: ModelInfo
  private process: EngineProcess | undefined
  private starting: Promise<EngineProcess> | undefined
  private failure: unknown
  private numFailedStarts = 0
  private numRestarts = 0
  private numActive = 0
  private activeSince = 0
  private retry: NodeJS.Timeout | undefined
  private disposing: Promise<void> | undefined
  private readonly watch: NodeJS.Timeout

  /**
   * @param first - a process that is loaded and idle; owned from now on
   * @param startAnother - starts one like it
   */
  constructor(
    first: EngineProcess,
    private readonly startAnother: () => Promise<EngineProcess>,
    private readonly options: SupervisorOptions,
  ) {
    this.info = first.client.info
    this.adopt(first)
    this.watch = setInterval(() => this.killIfStalled(), Math.max(50, options.stallTimeoutMs / 4))
    this.watch.unref()
  }

  get status(): EngineStatus {
    const state = this.process ? 'ready' : this.starting ? 'starting' : 'failed'
    return { state, numRestarts: this.numRestarts, pid: this.process?.pid }
  }

  async run(request: GenerateRequest, hooks: RunHooks): Promise<GenerateResult> {
    const { signal } = hooks
    try {
      return await this.use(client => client.run(request, hooks), signal)
    } catch (error) {
      if (signal.aborted && error === signal.reason) return emptyResult(this.info)
      throw error
    }
  }

  countTokens(request: PromptRequest): Promise<Usage> {
    return this.use(client => client.countTokens(request))
  }

  prepareImage(request: PromptRequest, signal: AbortSignal): Promise<PreparedInfo> {
    return this.use(client => client.prepareImage(request, signal), signal)
  }

  releaseImage(id: string): void {
    this.process?.client.releaseImage(id)
  }

  embedImages(request: EmbedRequest, signal: AbortSignal): Promise<ImageEmbeddings> {
    return this.use(client => client.embedImages(request, signal), signal)
  }

  async openImage(image: unknown, signal?: AbortSignal): Promise<OpenedImage> {
    return (await untilAborted(this.ready(), signal)).client.openImage(image, signal)
  }

  dispose(): Promise<void> {
    this.disposing ??= this.close()
    return this.disposing
  }

  private async use<T>(work: (client: EngineClient) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const { client } = await untilAborted(this.ready(), signal)
    if (this.numActive++ === 0) this.activeSince = performance.now()
    try {
      return await work(client)
    } finally {
      this.numActive--
    }
  }

  private async ready(): Promise<EngineProcess> {
    if (this.disposing) throw new NVLMError('DISPOSED', DISPOSED_MESSAGE)
    if (this.process) return this.process
    if (this.starting) return this.starting
    throw new NVLMError('ENGINE_FAILED', 'the engine could not be started again', {
      hint: 'It is tried again every few seconds; look at the memory and the files of the model.',
      cause: this.failure,
    })
  }

  private adopt(process: EngineProcess): void {
    this.process = process
    this.numFailedStarts = 0
    process.exited.then(how => {
      if (this.process !== process) return
      this.process = undefined
      if (!this.disposing) this.startAgain(`the engine's process ${how}; it is started again`)
    })
  }

  private startAgain(warning: string): void {
    this.numRestarts++
    this.options.onWarning?.(warning)
    this.starting = this.startAnother()
    this.starting.then(
      process => {
        this.starting = undefined
        this.adopt(process)
        if (this.disposing) process.kill()
      },
      error => this.startFailed(error),
    )
  }

  private startFailed(error: unknown): void {
    this.starting = undefined
    this.failure = error
    if (this.disposing) return
    const why = error instanceof Error ? error.message : String(error)
    const delay = RETRY_DELAYS_MS[Math.min(this.numFailedStarts++, RETRY_DELAYS_MS.length - 1)]!
    this.retry = setTimeout(
      () => this.startAgain(`the engine did not start (${why}); trying again`),
      delay,
    ).unref()
  }

  private killIfStalled(): void {
    const { process, options } = this
    if (!process || this.numActive === 0) return
    const silentMs = performance.now() - Math.max(process.heardAt(), this.activeSince)
    if (silentMs < options.stallTimeoutMs) return
    options.onWarning?.(`the engine said nothing for ${Math.round(silentMs)} ms and is killed`)
    process.kill()
  }

  private async close(): Promise<void> {
    clearInterval(this.watch)
    clearTimeout(this.retry)
    const process = this.process ?? (await this.starting?.catch(() => undefined))
    if (!process) return
    const timer = setTimeout(() => process.kill(), MAX_STOP_MS)
    await process.client.dispose()
    await process.exited
    clearTimeout(timer)
  }
}

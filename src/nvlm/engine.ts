import { NVLMError } from '../core/errors.js'
import {
  DISPOSED_MESSAGE,
  type EngineClient,
  type GenerateRequest,
  type GenerateResult,
  type PromptRequest,
  type RunHooks,
  type Usage,
} from './engine-client.js'
import { EngineRun } from './engine-run.js'
import type { EngineStages } from './engine-stages.js'
import { linkSignals } from './link-signals.js'
import { preparePrompt } from './prompt-input.js'
import { RunQueue } from './run-queue.js'
import type { ModelInfo } from './stages.js'

/** What an engine needs of its surroundings. */
export interface EngineOptions {
  /** Resolves after the event loop went round once: lets aborts in between two steps. */
  readonly nextTurn: () => Promise<void>
  /** Most requests that run at once, taking turns step by step; default 1. */
  readonly concurrency?: number | undefined
}

/** Runs requests on a model's stages in this thread, beginning in the order they came. Owns the stages. */
export class Engine implements EngineClient {
  readonly info: ModelInfo
  private readonly queue: RunQueue
  private readonly closing = new AbortController()
  private disposing: Promise<void> | undefined

  constructor(
    private readonly stages: EngineStages,
    private readonly options: EngineOptions,
  ) {
    this.info = stages.info
    this.queue = new RunQueue(options.concurrency)
  }

  async run(request: GenerateRequest, hooks: RunHooks): Promise<GenerateResult> {
    this.assertUsable()
    const { signal, unlink } = linkSignals(hooks.signal, this.closing.signal)
    const context = { stages: this.stages, nextTurn: this.options.nextTurn }
    const run = new EngineRun(context, request, { ...hooks, signal })
    try {
      await this.queue.enter(signal, () => run.execute())
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) throw error
    } finally {
      unlink()
    }
    return run.result()
  }

  async countTokens(request: PromptRequest): Promise<Usage> {
    this.assertUsable()
    const { inputIds, imageTokens } = await preparePrompt(this.stages, request, this.closing.signal)
    return {
      promptTokens: inputIds.length,
      imageTokens,
      completionTokens: 0,
      totalTokens: inputIds.length,
    }
  }

  dispose(): Promise<void> {
    this.disposing ??= this.close()
    return this.disposing
  }

  private async close(): Promise<void> {
    this.closing.abort(new NVLMError('DISPOSED', DISPOSED_MESSAGE))
    await this.queue.idle()
    await this.stages.dispose()
  }

  private assertUsable(): void {
    if (this.disposing) throw new NVLMError('DISPOSED', DISPOSED_MESSAGE)
  }
}

import { NVLMError } from '../core/errors.js'
import type { FloatTensor } from '../core/tensor.js'
import type { OpenedImage } from '../platform/image-input.js'
import { type CacheOptions, cacheBudgets } from './cache-options.js'
import { Constraints } from './constraints.js'
import { poolEmbeds } from './embed-images.js'
import { numImageTokens } from './encode-images.js'
import {
  DISPOSED_MESSAGE,
  type EmbedRequest,
  type EngineClient,
  type GenerateRequest,
  type GenerateResult,
  type ImageEmbeddings,
  type PreparedInfo,
  type PromptRequest,
  type RunHooks,
  type Usage,
} from './engine-client.js'
import { EngineRun } from './engine-run.js'
import type { EngineStages } from './engine-stages.js'
import { linkSignals } from './link-signals.js'
import { type Picture, Pictures } from './pictures.js'
import { PrefixCache } from './prefix-cache.js'
import { collectImages, preparePrompt } from './prompt-input.js'
import type { RunContext } from './run-context.js'
import { RunQueue } from './run-queue.js'
import type { ModelInfo } from './stages.js'

/** What an engine needs of its surroundings. */
export interface EngineOptions extends CacheOptions {
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
  private readonly context: RunContext
  private disposing: Promise<void> | undefined

  constructor(
    private readonly stages: EngineStages,
    { nextTurn, concurrency, ...caches }: EngineOptions,
  ) {
    this.info = stages.info
    this.queue = new RunQueue(concurrency)
    const { visionCache, prefixCache } = cacheBudgets(caches)
    this.context = {
      stages,
      nextTurn,
      constraints: new Constraints(stages.tokenizer, nextTurn),
      pictures: new Pictures(stages, visionCache),
      prefixes: new PrefixCache(stages.decoder, stages.info.contextLength, prefixCache),
    }
  }

  async run(request: GenerateRequest, hooks: RunHooks): Promise<GenerateResult> {
    this.assertUsable()
    const { signal, unlink } = linkSignals(hooks.signal, this.closing.signal)
    const run = new EngineRun(this.context, request, { ...hooks, signal })
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
    const { inputIds, embedPlaces } = await preparePrompt(
      this.stages,
      this.context.pictures,
      request,
      this.closing.signal,
    )
    return {
      promptTokens: inputIds.length,
      imageTokens: embedPlaces.length,
      cachedTokens: 0,
      completionTokens: 0,
      draftTokens: 0,
      acceptedDraftTokens: 0,
      totalTokens: inputIds.length,
    }
  }

  prepareImage(request: PromptRequest, signal: AbortSignal): Promise<PreparedInfo> {
    const { pictures } = this.context
    return this.exclusively(signal, async () => {
      const picture = await this.openPicture(request, 0, signal)
      const id = await pictures.prepare(picture, signal)
      return {
        id,
        tiles: picture.numTiles,
        tokens: numImageTokens(this.info, picture.numTiles),
        hash: picture.hash,
      }
    })
  }

  releaseImage(id: string): void {
    this.context.pictures.release(id)
  }

  embedImages(request: EmbedRequest, signal: AbortSignal): Promise<ImageEmbeddings> {
    return this.exclusively(signal, async () => {
      const embeddings: FloatTensor[] = []
      let imageTokens = 0
      for (const index of collectImages(request).keys()) {
        const picture = await this.openPicture(request, index, signal)
        embeddings.push(poolEmbeds(await this.context.pictures.encode(picture, signal), request))
        imageTokens += picture.numTiles * (this.info.tile?.tokens ?? 0)
        await this.context.nextTurn()
      }
      return { embeddings, imageTokens }
    })
  }

  async openImage(image: unknown, outer?: AbortSignal): Promise<OpenedImage> {
    this.assertUsable()
    const { signal, unlink } = linkSignals(this.closing.signal, ...(outer ? [outer] : []))
    return this.stages.tiler.open(image as never, { signal }).finally(unlink)
  }

  dispose(): Promise<void> {
    this.disposing ??= this.close()
    return this.disposing
  }

  /** Do something in the queue; unlike `run` this throws on abort. */
  private async exclusively<T>(outer: AbortSignal, work: () => Promise<T>): Promise<T> {
    this.assertUsable()
    const { signal, unlink } = linkSignals(outer, this.closing.signal)
    try {
      return await this.queue.enter(signal, work)
    } finally {
      unlink()
    }
  }

  private openPicture(request: PromptRequest, index: number, signal: AbortSignal): Promise<Picture> {
    signal.throwIfAborted()
    const { image, tiles } = collectImages(request)[index]!
    return this.context.pictures.open(image, { ...tiles, applyExif: request.applyExif }, signal)
  }

  private async close(): Promise<void> {
    this.closing.abort(new NVLMError('DISPOSED', DISPOSED_MESSAGE))
    await this.queue.idle()
    this.context.prefixes.dispose()
    this.context.pictures.dispose()
    await this.stages.dispose()
  }

  private assertUsable(): void {
    if (this.disposing) throw new NVLMError('DISPOSED', DISPOSED_MESSAGE)
  }
}

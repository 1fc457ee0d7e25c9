import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import {
  DISPOSED_MESSAGE,
  type EngineClient,
  type GenerateRequest,
  type GenerateResult,
  type PreparedInfo,
  type PromptRequest,
  type RunHooks,
  type Usage,
} from '../nvlm/engine-client.js'
import { linkSignals } from '../nvlm/link-signals.js'
import { collectImages } from '../nvlm/prompt-input.js'
import type { ModelInfo } from '../nvlm/stages.js'
import type { ImageInput, OpenedImage } from '../platform/image-input.js'
import { type RemoteContext, RemoteRun } from './remote-run.js'
import { atSomeReplica } from './request-retries.js'
import { wireMessages } from './wire-messages.js'

const countSchema = z.object({ count: z.int().min(0) })

/** A model on a server. Requests are sent as they come: the server queues them. */
export class RemoteClient implements EngineClient {
  private readonly closing = new AbortController()
  private readonly running = new Set<Promise<unknown>>()

  constructor(private readonly context: RemoteContext) {}

  get info(): ModelInfo {
    return this.context.info
  }

  run(request: GenerateRequest, hooks: RunHooks): Promise<GenerateResult> {
    return this.busy(hooks.signal, async signal => {
      const run = new RemoteRun(this.context, request, { ...hooks, signal })
      try {
        await run.execute()
      } catch (error) {
        if (!signal.aborted) throw error
      }
      return run.result()
    })
  }

  /**
   * Tokens of a prompt without pictures, counted by vLLM's `/tokenize`.
   *
   * @throws {NVLMError} UNSUPPORTED for pictures, and for a server without that route
   */
  countTokens(request: PromptRequest): Promise<Usage> {
    const { signal } = new AbortController()
    return this.busy(signal, async linked => {
      if (collectImages(request).length > 0) {
        throw unsupported('counting the tokens of pictures', 'usage.promptTokens of a generation has them.')
      }
      const messages = await wireMessages(request.messages, async () => '', [])
      const tools = request.tools?.map(tool => ({ type: 'function', function: tool }))
      const body = { model: this.info.id, messages, add_generation_prompt: true, ...(tools && { tools }) }
      const { count } = await this.tokenize(body, linked)
      return {
        promptTokens: count,
        imageTokens: 0,
        cachedTokens: 0,
        completionTokens: 0,
        draftTokens: 0,
        acceptedDraftTokens: 0,
        totalTokens: count,
      }
    })
  }

  async prepareImage(): Promise<PreparedInfo> {
    throw unsupported('preparing a picture', 'A server keeps pictures itself: give it the picture each time.')
  }

  /** There are none. */
  releaseImage(): void {}

  async embedImages(): Promise<never> {
    throw unsupported('embedding a picture', 'Load the model in this process for its embeddings.')
  }

  async openImage(image: unknown, outer?: AbortSignal): Promise<OpenedImage> {
    this.assertUsable()
    const { decoder, limits } = this.context.pictures
    const { signal, unlink } = linkSignals(this.closing.signal, ...(outer ? [outer] : []))
    return decoder.open(image as ImageInput, { limits, signal }).finally(unlink)
  }

  async dispose(): Promise<void> {
    this.closing.abort(new NVLMError('DISPOSED', DISPOSED_MESSAGE))
    await Promise.allSettled(this.running)
  }

  private async tokenize(body: object, signal: AbortSignal): Promise<z.output<typeof countSchema>> {
    const { replicas, clock, settings } = this.context
    const { maxRetries, timeoutMs } = settings
    // it lies beside /v1
    const path = '../tokenize'
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    try {
      const answer = await atSomeReplica(
        { replicas, clock, maxRetries, signal: bounded, canRetry: () => true },
        ({ server }) => server.json({ path, body, signal: bounded }),
      )
      return countSchema.parse(answer)
    } catch (cause) {
      signal.throwIfAborted()
      const isMissing = NVLMError.isInstance(cause) && [404, 405].includes(Number(cause.details.status))
      if (NVLMError.isInstance(cause) && !isMissing) throw cause
      throw unsupported('counting tokens', 'vLLM has the route /tokenize; this server gives none.', cause)
    }
  }

  private async busy<T>(outer: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.assertUsable()
    const { signal, unlink } = linkSignals(outer, this.closing.signal)
    const running = work(signal)
    this.running.add(running)
    try {
      return await running
    } finally {
      this.running.delete(running)
      unlink()
    }
  }

  private assertUsable(): void {
    if (this.closing.signal.aborted) throw new NVLMError('DISPOSED', DISPOSED_MESSAGE)
  }
}

function unsupported(what: string, hint: string, cause?: unknown): NVLMError {
  return new NVLMError('UNSUPPORTED', `${what} is not possible with a remote model`, { hint, cause })
}

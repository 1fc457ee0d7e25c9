import { NVLMError } from '../core/errors.js'
import { DISPOSED_MESSAGE, type EngineClient, type Usage } from './engine-client.js'
import {
  type GenerateOptions,
  type PromptOptions,
  parseGenerateOptions,
  parsePromptOptions,
} from './generate-options.js'
import { Generation } from './generation.js'
import { epochNow } from './run-clock.js'
import type { ModelInfo } from './stages.js'

/** A loaded vision-language model: pictures and text in, text out. */
export class NVLM implements AsyncDisposable {
  private readonly generations = new Set<Generation>()
  private disposing: Promise<void> | undefined

  /** @param client - owned from now on */
  constructor(private readonly client: EngineClient) {}

  /** What the model is and where it runs. */
  get info(): ModelInfo {
    return this.client.info
  }

  /** Has `dispose` been called? */
  get disposed(): boolean {
    return this.disposing !== undefined
  }

  /**
   * Answer a question or go on with a conversation.
   *
   * Runs of one model wait for each other in the order they were asked for. Wrong options throw here; everything
   * else that goes wrong comes out of the generation.
   *
   * @throws {NVLMError} INVALID_OPTION, DISPOSED
   */
  generate(prompt: string, options?: Omit<GenerateOptions, 'prompt' | 'messages'>): Generation
  generate(options: GenerateOptions): Generation
  generate(first: string | GenerateOptions, rest?: GenerateOptions): Generation {
    this.assertUsable()
    const options = typeof first === 'string' ? { ...rest, prompt: first } : first
    const request = parseGenerateOptions(options, epochNow())
    const generation = new Generation(hooks => this.client.run(request, hooks), options.signal)
    this.generations.add(generation)
    const forget = () => this.generations.delete(generation)
    generation.then(forget, forget)
    return generation
  }

  /**
   * Count the tokens of a prompt as `generate` would make it, without running the model.
   *
   * @throws {NVLMError} INVALID_OPTION, IMAGE_*, UNSUPPORTED, DISPOSED, ENGINE_FAILED
   */
  async countTokens(options: PromptOptions): Promise<Usage> {
    this.assertUsable()
    return this.client.countTokens(parsePromptOptions(options, 'countTokens'))
  }

  /** Abort all runs, which reject with DISPOSED, and free the model. A second call waits for the first. */
  dispose(): Promise<void> {
    this.disposing ??= this.close()
    return this.disposing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  private async close(): Promise<void> {
    const reason = new NVLMError('DISPOSED', 'the model was disposed during the run')
    for (const generation of this.generations) generation.abort(reason)
    await this.client.dispose()
  }

  private assertUsable(): void {
    if (this.disposing) throw new NVLMError('DISPOSED', DISPOSED_MESSAGE)
  }
}

import { NVLMError } from '../core/errors.js'
import type { ImageInput } from '../platform/image-input.js'
import type { Message } from '../tokenizer/messages.js'
import { type ChatHost, type ChatOptions, ChatSession } from './chat-session.js'
import {
  DISPOSED_MESSAGE,
  type EngineClient,
  type EngineStatus,
  type ImageEmbeddings,
  type Usage,
} from './engine-client.js'
import { filterMessages, filterRun } from './filtered-run.js'
import type { GenerationFilter } from './filters.js'
import {
  type GenerateCall,
  type GenerateOptions,
  type PromptOptions,
  parseGenerateCall,
  parsePromptOptions,
} from './generate-options.js'
import { Generation } from './generation.js'
import {
  type EmbedOptions,
  type PrepareImageOptions,
  parseEmbedOptions,
  parsePrepareImageOptions,
} from './image-options.js'
import type { MessageInput } from './message-input.js'
import { Observer } from './observer.js'
import type { ChoiceResult, ObjectResult } from './output-options.js'
import { PreparedImage } from './prepared-image.js'
import { epochNow } from './run-clock.js'
import type { InferSchema, SchemaInput } from './schema-input.js'
import type { ModelInfo } from './stages.js'
import type { AnyTools, ToolsResult } from './tool-types.js'
import type { ToolParameters, WithChoices, WithSchema, WithTools } from './typed-options.js'

/** A signal that nobody aborts. */
const NEVER = new AbortController().signal

/** What stands around a model's generations. */
export interface ModelSurroundings {
  /** Filters of every generation. */
  readonly filters?: readonly GenerationFilter[] | undefined
  readonly observer?: Observer | undefined
}

/** Options beside a prompt that is given by itself. */
type ShortOptions = Omit<GenerateOptions, 'prompt' | 'messages'>

/** What belongs to one call, beside its request. */
type CallOptions = Pick<GenerateOptions, 'signal' | 'filters' | 'telemetry'>

/** A loaded vision-language model: pictures and text in, text out. */
export class NVLM implements AsyncDisposable {
  private readonly generations = new Set<Generation>()
  private readonly filters: readonly GenerationFilter[]
  private readonly observer: Observer
  private disposing: Promise<void> | undefined

  /** @param client - owned from now on */
  constructor(
    private readonly client: EngineClient,
    { filters = [], observer = new Observer() }: ModelSurroundings = {},
  ) {
    this.filters = filters
    this.observer = observer
  }

  /** What the model is and where it runs. */
  get info(): ModelInfo {
    return this.client.info
  }

  /** How the engine's process is, of a model that was loaded with `worker: 'process'`; else undefined. */
  get engine(): EngineStatus | undefined {
    return this.client.status
  }

  /** Has `dispose` been called? */
  get disposed(): boolean {
    return this.disposing !== undefined
  }

  /**
   * Answer a question or go on with a conversation.
   *
   * Runs of one model begin in the order they were asked for, `concurrency` of them at once. Wrong options throw here;
   * everything else that goes wrong comes out of the generation.
   *
   * @throws {NVLMError} INVALID_OPTION, DISPOSED
   */
  generate<Schema extends SchemaInput>(
    prompt: string,
    options: WithSchema<ShortOptions, Schema>,
  ): Generation<ObjectResult<InferSchema<Schema>>>
  generate<Schema extends SchemaInput>(
    options: WithSchema<GenerateOptions, Schema>,
  ): Generation<ObjectResult<InferSchema<Schema>>>
  generate<Parameters extends ToolParameters, Tools extends AnyTools>(
    prompt: string,
    options: WithTools<ShortOptions, Parameters, Tools>,
  ): Generation<ToolsResult<Tools>>
  generate<Parameters extends ToolParameters, Tools extends AnyTools>(
    options: WithTools<GenerateOptions, Parameters, Tools>,
  ): Generation<ToolsResult<Tools>>
  generate<Choice extends string>(
    prompt: string,
    options: WithChoices<ShortOptions, Choice>,
  ): Generation<ChoiceResult<Choice>>
  generate<Choice extends string>(
    options: WithChoices<GenerateOptions, Choice>,
  ): Generation<ChoiceResult<Choice>>
  generate(prompt: string, options?: ShortOptions): Generation
  generate(options: GenerateOptions): Generation
  generate(first: string | GenerateOptions, rest?: GenerateOptions): Generation {
    this.assertUsable()
    const options = typeof first === 'string' ? { ...rest, prompt: first } : first
    return this.start(parseGenerateCall(options, epochNow()), options)
  }

  /**
   * Begin a conversation whose turns read only what is new.
   *
   * @throws {NVLMError} INVALID_OPTION, DISPOSED
   */
  chat<Schema extends SchemaInput>(
    options: WithSchema<ChatOptions, Schema>,
  ): ChatSession<ObjectResult<InferSchema<Schema>>>
  chat<Parameters extends ToolParameters, Tools extends AnyTools>(
    options: WithTools<ChatOptions, Parameters, Tools>,
  ): ChatSession<ToolsResult<Tools>>
  chat<Choice extends string>(options: WithChoices<ChatOptions, Choice>): ChatSession<ChoiceResult<Choice>>
  chat(options?: ChatOptions): ChatSession
  chat(options: ChatOptions = {}): ChatSession {
    this.assertUsable()
    const { system, messages = [], restore: _, ...everyTurn } = options
    const opening: MessageInput[] = system === undefined ? [] : [{ role: 'system', content: system }]
    const firstTurn: MessageInput = { role: 'user', content: '' }
    parseGenerateCall({ ...everyTurn, messages: [...opening, ...messages, firstTurn] }, 0)
    const host: ChatHost = {
      modelId: this.info.id,
      openImage: (image, signal) => this.client.openImage(image, signal),
      generate: (turn, history) => {
        this.assertUsable()
        return this.start(parseGenerateCall(turn, epochNow()), turn, history)
      },
    }
    return new ChatSession(host, options)
  }

  /**
   * Count the tokens of a prompt as `generate` would make it, without running the model. The model's input filters
   * are run.
   *
   * @throws {NVLMError} INVALID_OPTION, IMAGE_*, UNSUPPORTED, DISPOSED, ENGINE_FAILED; what a filter throws
   */
  async countTokens(options: PromptOptions): Promise<Usage> {
    this.assertUsable()
    const request = parsePromptOptions(options, 'countTokens')
    const { signal } = new AbortController()
    const messages = await filterMessages(this.filters, request, this.info.id, signal)
    return this.client.countTokens({ ...request, messages })
  }

  /**
   * Encode a picture once, to ask about it many times: the handle is usable wherever a picture is.
   *
   * @throws {NVLMError} INVALID_OPTION, IMAGE_*, UNSUPPORTED, DISPOSED, ENGINE_FAILED; the signal's reason on abort
   */
  async prepareImage(image: ImageInput, options: PrepareImageOptions = {}): Promise<PreparedImage> {
    this.assertUsable()
    const request = parsePrepareImageOptions(image, options)
    const info = await this.client.prepareImage(request, options.signal ?? NEVER)
    return new PreparedImage(info, () => this.client.releaseImage(info.id))
  }

  /**
   * The embeddings of pictures as the decoder reads them: the projector's output.
   *
   * They live in the token space of this model. They are good for finding near-duplicates, for probes and for caching; they
   * are no CLIP vectors, and can't be compared with texts.
   *
   * @throws {NVLMError} INVALID_OPTION, IMAGE_*, UNSUPPORTED, DISPOSED, ENGINE_FAILED; the signal's reason on abort
   */
  async embed(
    images: ImageInput | readonly ImageInput[],
    options: EmbedOptions = {},
  ): Promise<ImageEmbeddings> {
    this.assertUsable()
    const list: readonly ImageInput[] = Array.isArray(images) ? images : [images as ImageInput]
    return this.client.embedImages(parseEmbedOptions(list, options), options.signal ?? NEVER)
  }

  /** Abort all runs, which reject with DISPOSED, and free the model. A second call waits for the first. */
  dispose(): Promise<void> {
    this.disposing ??= this.close()
    return this.disposing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose()
  }

  /** Run a checked request, with filters and telemetry around it. */
  private start(
    { request, output }: GenerateCall,
    { signal, filters = [], telemetry }: CallOptions,
    history?: Parameters<ChatHost['generate']>[1],
  ): Generation {
    const around = [...this.filters, ...filters]
    assertFiltersFit(request, around)
    const run = output.wrap(filterRun((inner, hooks) => this.client.run(inner, hooks), around, this.info))
    const generation = new Generation(async hooks => {
      if (history === undefined) return run(request, hooks)
      const newest = request.messages[0] as Message<ImageInput>
      return run({ ...request, messages: await history(newest, hooks.signal) }, hooks)
    }, signal)
    this.generations.add(generation)
    const forget = () => this.generations.delete(generation)
    generation.then(forget, forget)
    this.observer.watch(generation, request, this.info, telemetry)
    return generation
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

/** Log-probabilities name the tokens that an output filter may have to hide. */
function assertFiltersFit(
  { numLogprobs }: GenerateCall['request'],
  filters: readonly GenerationFilter[],
): void {
  if (numLogprobs === undefined || !filters.some(({ output }) => output)) return
  throw new NVLMError(
    'INVALID_OPTION',
    'generate: "logprobs" and a filter of the output exclude each other',
    {
      hint: 'Log-probabilities spell out the unfiltered answer; leave one of the two out.',
    },
  )
}

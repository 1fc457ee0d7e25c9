import { NVLMError } from '../core/errors.js'
import type { ImageInput, OpenedImage } from '../platform/image-input.js'
import type { Message } from '../tokenizer/messages.js'
import { decodeChat, encodeChat } from './chat-file.js'
import type { GenerateResult } from './engine-client.js'
import type { GenerateOptions } from './generate-options.js'
import type { Generation } from './generation.js'
import { type ContentPartInput, type MessageInput, toMessage } from './message-input.js'
import type { ChoiceResult, ObjectResult } from './output-options.js'
import { pinImages } from './pin-images.js'
import type { InferSchema, SchemaInput } from './schema-input.js'
import type { AnyTools, ToolsResult } from './tool-types.js'
import type { ToolParameters, WithChoices, WithSchema, WithTools } from './typed-options.js'

/** Options of `chat`; those of `generate` hold for every turn. */
export interface ChatOptions extends Omit<GenerateOptions, 'prompt' | 'images' | 'messages' | 'signal'> {
  /** Turns to begin with. */
  readonly messages?: readonly MessageInput[] | undefined
  /** What `save` gave: turns to begin with, instead of `system` and `messages`. */
  readonly restore?: Uint8Array | undefined
}

/** Options of one turn, laid over those of the chat. */
export type SendOptions = Omit<GenerateOptions, 'prompt' | 'messages' | 'system' | 'applyExif'>

/** What is said in a turn. */
export type ChatInput = string | readonly ContentPartInput[]

/** What a chat needs of its model. */
export interface ChatHost {
  readonly modelId: string
  openImage(image: unknown, signal?: AbortSignal): Promise<OpenedImage>
  /**
   * Check a turn's options and generate.
   *
   * @param history - reads the new message, the last of the checked request, into the whole conversation
   */
  generate(
    options: GenerateOptions,
    history: (newest: Message<ImageInput>, signal: AbortSignal) => Promise<readonly Message[]>,
  ): Generation
}

/**
 * A conversation that goes on: each turn reads only what is new, as long as the model's caches hold the rest.
 *
 * A turn is kept when its generation resolves with text, and dropped when it rejects: after an abort or an error the chat
 * is as before. Pictures are read when they are sent, and cut as they were then in all later turns. A chat holds no
 * memory of the model; its keys and values are the prefix cache's.
 */
export class ChatSession<Result extends GenerateResult = GenerateResult> implements Disposable {
  private history: Message<ImageInput>[]
  private readonly pinned = new WeakSet<Message<ImageInput>>()
  private running: Generation | undefined
  private lastCachedTokens = 0
  private isDisposed = false
  private readonly defaults: Omit<ChatOptions, 'system' | 'messages' | 'restore'>

  /** @throws {NVLMError} INVALID_OPTION */
  constructor(
    private readonly host: ChatHost,
    options: ChatOptions = {},
  ) {
    const { system, messages, restore, ...defaults } = options
    this.defaults = defaults
    if (restore !== undefined) {
      if (system !== undefined || messages !== undefined) {
        throw new NVLMError('INVALID_OPTION', 'chat: "restore" excludes "system" and "messages"')
      }
      this.history = [...decodeChat(restore)]
      return
    }
    const start: MessageInput[] = system === undefined ? [] : [{ role: 'system', content: system }]
    this.history = [...start, ...(messages ?? [])].map(message => toMessage(message, defaults.tiles))
  }

  /** The turns so far, the system prompt first if there is one; pictures as bytes or pixels once they are sent. */
  get messages(): readonly Message<ImageInput>[] {
    return [...this.history]
  }

  /** Tokens of the last turn's prompt that were not read again. */
  get cachedTokens(): number {
    return this.lastCachedTokens
  }

  /**
   * Say something and get the answer.
   *
   * @throws {NVLMError} INVALID_OPTION for wrong options or while a turn still runs, DISPOSED
   */
  send<Schema extends SchemaInput>(
    input: ChatInput,
    options: WithSchema<SendOptions, Schema>,
  ): Generation<ObjectResult<InferSchema<Schema>>>
  send<Parameters extends ToolParameters, Tools extends AnyTools>(
    input: ChatInput,
    options: WithTools<SendOptions, Parameters, Tools>,
  ): Generation<ToolsResult<Tools>>
  send<Choice extends string>(
    input: ChatInput,
    options: WithChoices<SendOptions, Choice>,
  ): Generation<ChoiceResult<Choice>>
  send(input: ChatInput, options?: SendOptions): Generation<Result>
  send(input: ChatInput, options: SendOptions = {}): Generation {
    this.assertIdle('send')
    const { images, ...rest } = options
    const user: MessageInput = { role: 'user', content: joinContent(input, images) }
    let sent: Message<ImageInput> | undefined
    const turn = { ...this.defaults, ...rest, messages: [user] }
    const generation = this.host.generate(turn, async (newest, signal) => {
      await this.pinHistory(signal)
      sent = await pinImages(newest, image => this.host.openImage(image, signal))
      this.pinned.add(sent)
      return [...this.history, sent]
    })
    this.running = generation
    generation.then(
      result => {
        this.running = undefined
        const said = spokenTurns(result)
        if (sent === undefined || said.length === 0) return
        this.history.push(sent, ...said)
        this.lastCachedTokens = result.usage.cachedTokens
      },
      () => {
        this.running = undefined
      },
    )
    return generation
  }

  /** A chat of its own with the same turns so far. What both have read is shared through the model's caches. */
  fork(): ChatSession<Result> {
    this.assertIdle('fork')
    const fork = new ChatSession<Result>(this.host, this.defaults)
    fork.history = [...this.history]
    for (const message of fork.history) if (this.pinned.has(message)) fork.pinned.add(message)
    return fork
  }

  /**
   * Take back the last turns: question and answer each.
   *
   * @throws {NVLMError} INVALID_OPTION if there are fewer, or while a turn still runs
   */
  rewind(numTurns = 1): void {
    this.assertIdle('rewind')
    const starts = this.history.flatMap(({ role }, index) => (role === 'user' ? [index] : []))
    if (!Number.isInteger(numTurns) || numTurns < 1 || numTurns > starts.length) {
      throw new NVLMError(
        'INVALID_OPTION',
        `rewind: ${numTurns} turns; expected an integer from 1 to ${starts.length}, the turns so far`,
      )
    }
    this.history.length = starts[starts.length - numTurns]!
  }

  /**
   * The turns with their pictures as bytes, for `chat({ restore })`. Options and keys and values are not in it: the first
   * turn after restoring reads everything once.
   *
   * @throws {NVLMError} UNSUPPORTED if a turn has a prepared image, IMAGE_* for a first picture that can't be read
   */
  async save(): Promise<Uint8Array> {
    this.assertIdle('save')
    await this.pinHistory()
    return encodeChat(this.host.modelId, this.history)
  }

  /** Abort the turn that runs; later calls throw. */
  dispose(): void {
    this.isDisposed = true
    this.running?.abort(new NVLMError('DISPOSED', 'the chat was disposed during the turn'))
  }

  [Symbol.dispose](): void {
    this.dispose()
  }

  /** Pictures of turns that the chat began with are read when they are first needed. */
  private async pinHistory(signal?: AbortSignal): Promise<void> {
    for (const [index, message] of this.history.entries()) {
      if (this.pinned.has(message)) continue
      const pinned = await pinImages(message, image => this.host.openImage(image, signal))
      this.pinned.add(pinned)
      this.history[index] = pinned
    }
  }

  private assertIdle(what: string): void {
    if (this.isDisposed) throw new NVLMError('DISPOSED', 'the chat is disposed')
    if (this.running === undefined) return
    throw new NVLMError('INVALID_OPTION', `${what}: the turn before still runs`, {
      hint: 'Await the generation of the turn before, or abort it and wait for its end.',
    })
  }
}

/** What an answer adds to the conversation: the text, or the calls, results and text of its steps. */
function spokenTurns(result: GenerateResult): readonly Message<ImageInput>[] {
  if ('messages' in result) return (result as ToolsResult).messages as readonly Message<ImageInput>[]
  return result.text === '' ? [] : [{ role: 'assistant', content: result.text }]
}

function joinContent(input: ChatInput, images: SendOptions['images']): string | readonly ContentPartInput[] {
  if (images === undefined) return input
  const list = (Array.isArray(images) ? images : [images]) as readonly ImageInput[]
  const rest: readonly ContentPartInput[] =
    typeof input === 'string' ? [{ type: 'text', text: input }] : input
  return [...list.map(image => ({ type: 'image' as const, image })), ...rest]
}

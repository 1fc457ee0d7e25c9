import type { GenerateResult } from '../../nvlm/engine-client.js'
import type { Answer, Chat, ChatSettings, ChatStart, LoadedModel, Picture } from '../api.js'
import { UsageError } from '../args.js'

/** What a conversation has used so far. */
export interface Totals {
  readonly turns: number
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
  readonly last: GenerateResult | undefined
}

const NOTHING: Totals = { turns: 0, promptTokens: 0, cachedTokens: 0, completionTokens: 0, last: undefined }

/** A chat with what a person changes between two questions: pictures, settings, the system prompt. */
export class Conversation {
  totals = NOTHING
  /** Pictures of the next question. */
  readonly pictures: Picture[] = []
  /** Where it was last saved to or loaded from. */
  file: string | undefined
  private chat: Chat
  private currentSettings: ChatSettings

  /** @throws {NVLMError} INVALID_OPTION */
  constructor(
    readonly model: LoadedModel,
    { system, ...settings }: ChatSettings & { readonly system?: string | undefined },
  ) {
    this.currentSettings = settings
    this.chat = model.chat({ system, ...settings })
  }

  get settings(): ChatSettings {
    return this.currentSettings
  }

  /** @throws {NVLMError} INVALID_OPTION; they stay as they were then */
  set settings(settings: ChatSettings) {
    this.model.chat(settings)
    this.currentSettings = settings
  }

  /** The system prompt; undefined: the model's own. */
  get system(): string | undefined {
    const [first] = this.chat.messages
    return first?.role === 'system' ? first.content : undefined
  }

  /** Changes it for all turns, those so far too. */
  set system(system: string | undefined) {
    const turns = this.chat.messages.filter(({ role }) => role !== 'system')
    const opening = system === undefined ? [] : [{ role: 'system' as const, content: system }]
    this.start({ messages: [...opening, ...turns] })
  }

  /** Questions and answers so far. */
  get numMessages(): number {
    return this.chat.messages.filter(({ role }) => role !== 'system').length
  }

  /**
   * Ask, with the pictures that wait. They are gone when the turn is kept.
   *
   * @param show - gets the answer in the making and gives its result
   */
  async ask(
    question: string,
    signal: AbortSignal,
    show: (answer: Answer) => Promise<GenerateResult>,
  ): Promise<GenerateResult> {
    const { numMessages: before, pictures } = this
    const images = pictures.length > 0 ? pictures.map(({ bytes }) => bytes) : undefined
    const result = await show(this.chat.send(question, { ...this.settings, images, signal }))
    if (this.numMessages > before) pictures.length = 0
    this.count(result)
    return result
  }

  /** Forget all turns and waiting pictures; settings and system prompt stay. */
  clear(): void {
    this.pictures.length = 0
    this.start({ system: this.system })
  }

  /**
   * Take back the last turns.
   *
   * @throws {UsageError} if there are fewer
   */
  rewind(numTurns: number): void {
    const numSoFar = this.chat.messages.filter(({ role }) => role === 'user').length
    if (!Number.isInteger(numTurns) || numTurns < 1 || numTurns > numSoFar) {
      throw new UsageError(`can't take back ${numTurns} of ${numSoFar} questions`)
    }
    this.chat.rewind(numTurns)
  }

  save(): Promise<Uint8Array> {
    return this.chat.save()
  }

  /** Go on with what `save` gave. @throws {NVLMError} INVALID_OPTION if it is none */
  load(saved: Uint8Array): void {
    this.start({ restore: saved })
  }

  private start(start: ChatStart): void {
    this.chat = this.model.chat({ ...start, ...this.settings })
  }

  private count(result: GenerateResult): void {
    const { turns, promptTokens, cachedTokens, completionTokens } = this.totals
    this.totals = {
      turns: turns + 1,
      promptTokens: promptTokens + result.usage.promptTokens,
      cachedTokens: cachedTokens + result.usage.cachedTokens,
      completionTokens: completionTokens + result.usage.completionTokens,
      last: result,
    }
  }
}

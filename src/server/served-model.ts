import type { EngineStatus, GenerateResult, Usage } from '../nvlm/engine-client.js'
import type { GenerateOptions, PromptOptions } from '../nvlm/generate-options.js'
import type { TokenEvent } from '../nvlm/generation-events.js'
import type { MessageInput } from '../nvlm/message-input.js'
import type { StreamPart } from '../nvlm/stream-parts.js'

/** What a server needs of a model; an `NVLM` is one. */
export interface ServedModel {
  readonly info: {
    readonly id: string
    readonly contextLength: number
    readonly tile?: object | undefined
  }
  /** How the engine's process is, if it has one. */
  readonly engine?: EngineStatus | undefined
  generate(options: GenerateOptions): ServedGeneration
  countTokens(options: PromptOptions): Promise<Usage>
}

/** One answer in the making. */
export interface ServedGeneration extends PromiseLike<ServedResult> {
  readonly parts: AsyncIterable<StreamPart>
  /** What there was when it was aborted. */
  readonly partial: GenerateResult | undefined
  on(name: 'token', listener: (event: TokenEvent) => void): unknown
}

/** A finished answer; `messages` and `toolCalls` where there were tools. */
export interface ServedResult extends GenerateResult {
  readonly messages?: readonly MessageInput[] | undefined
  readonly toolCalls?: readonly { readonly id: string }[] | undefined
}

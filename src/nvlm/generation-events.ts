import { EventEmitter } from 'eventemitter3'
import type { GenerateResult } from './engine-client.js'
import type { TokenLogprob } from './token-logprob.js'
import type { ToolCall, ToolResult } from './tool-types.js'

/** Where a generation stands. */
export type GenerationStatus = 'idle' | 'queued' | 'running' | 'done' | 'aborted' | 'error'

/** One token of the answer. */
export interface TokenEvent {
  readonly id: number
  /** 0 for the first. */
  readonly index: number
  /** Text that is certain because of this token; empty while a character, a stop string or white space may go on. */
  readonly text: string
  /** With the option `logprobs` only. */
  readonly logprob?: TokenLogprob | undefined
}

/** How far the work before the first token is. */
export interface GenerationProgress {
  /** `vision` counts images, `prefill` tokens of the prompt. */
  readonly stage: 'vision' | 'prefill'
  readonly done: number
  readonly total: number
}

type CallOf<Result> = Result extends { readonly toolCalls: readonly (infer Call)[] } ? Call : ToolCall
type ToolResultIn<Result> = Result extends { readonly toolResults: readonly (infer One)[] } ? One : ToolResult

/** Events of a generation and what their listeners get. */
export interface GenerationEvents<Result extends GenerateResult = GenerateResult> {
  progress: [progress: GenerationProgress]
  token: [token: TokenEvent]
  /** A piece of text and all text so far. */
  text: [delta: string, text: string]
  toolCall: [call: CallOf<Result>]
  toolResult: [result: ToolResultIn<Result>]
  finish: [result: Result]
  /** The reason, and what there was by then; undefined if the run failed on its way out. */
  abort: [reason: unknown, partial: GenerateResult | undefined]
  error: [error: unknown]
}

export type GenerationEventName = keyof GenerationEvents
export type GenerationListener<
  Name extends GenerationEventName,
  Result extends GenerateResult = GenerateResult,
> = (...args: GenerationEvents<Result>[Name]) => void

/** Gives the arguments of an event that has already happened. */
type Replay = <Name extends GenerationEventName>(name: Name) => GenerationEvents[Name] | undefined

/** A listener that came late and has not been told yet. */
interface LateListener {
  readonly name: GenerationEventName
  readonly listener: unknown
}

/** Events whose late listeners are told on the next microtask what they missed. */
export class GenerationEmitter {
  private readonly emitter = new EventEmitter<GenerationEvents>()
  private readonly late = new Set<LateListener>()

  constructor(private readonly replay: Replay) {}

  add<Name extends GenerationEventName>(
    name: Name,
    listener: GenerationListener<Name>,
    { once }: { readonly once: boolean },
  ): void {
    const subscribe = () => {
      if (once) this.emitter.once(name, listener as never)
      else this.emitter.on(name, listener as never)
    }
    if (this.replay(name) === undefined) {
      subscribe()
      return
    }
    const entry: LateListener = { name, listener }
    this.late.add(entry)
    queueMicrotask(() => {
      if (!this.late.delete(entry)) return
      const missed = this.replay(name)
      if (!once) subscribe()
      if (missed !== undefined) listener(...missed)
    })
  }

  remove<Name extends GenerationEventName>(name: Name, listener: GenerationListener<Name>): void {
    this.emitter.off(name, listener as never)
    for (const entry of this.late) {
      if (entry.name === name && entry.listener === listener) this.late.delete(entry)
    }
  }

  /** A listener that throws must not end the run: its error surfaces as uncaught, like that of a DOM listener. */
  emit<Name extends GenerationEventName>(name: Name, ...args: GenerationEvents[Name]): void {
    try {
      this.emitter.emit(name, ...(args as never))
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

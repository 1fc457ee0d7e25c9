import type { FinishReason, Timings, Usage } from './engine-client.js'
import type { ToolCall, ToolResult } from './tool-types.js'

/** What happens during a generation, in order: `start`, each `image`, `prefill`, `text`, `finish`; with tools
 * `tool-call` and `tool-result` after the text of each step. */
export type StreamPart =
  /** It left the queue. */
  | { readonly type: 'start'; readonly modelId: string; readonly warnings: readonly string[] }
  /** A picture became image embeddings. */
  | {
      readonly type: 'image'
      /** 0 for the first picture of the conversation. */
      readonly index: number
      readonly tiles: number
      /** Tokens of the prompt that are this picture's embeddings. */
      readonly tokens: number
      /** Were its embeddings there from an earlier request? */
      readonly cached: boolean
    }
  /** Tokens of the prompt read so far, of all that are not cached. */
  | { readonly type: 'prefill'; readonly done: number; readonly total: number }
  /** New text, and all text so far. */
  | { readonly type: 'text'; readonly text: string; readonly snapshot: string }
  /** The model calls a tool; its arguments are checked. */
  | ({ readonly type: 'tool-call' } & ToolCall)
  /** What a tool gave back, or what went wrong. */
  | ({ readonly type: 'tool-result' } & ToolResult)
  /** The end of a run that did not fail. */
  | {
      readonly type: 'finish'
      readonly finishReason: FinishReason
      readonly usage: Usage
      readonly timings: Timings
      readonly warnings: readonly string[]
    }

/** A part as it is written down: a text part's snapshot follows from those before it. */
export type LoggedPart =
  | Exclude<StreamPart, { type: 'text' }>
  | { readonly type: 'text'; readonly text: string }

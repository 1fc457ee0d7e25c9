import type { FloatTensor } from '../core/tensor.js'
import type { AnswerFormat } from '../generation/answer-format.js'
import type { PromptLookupOptions } from '../generation/prompt-lookup.js'
import type { SamplingOptions } from '../generation/sampling-options.js'
import type { OpenedImage } from '../platform/image-input.js'
import type { Message } from '../tokenizer/messages.js'
import type { ToolDefinition } from '../tokenizer/tools.js'
import type { ModelInfo } from './stages.js'
import type { StreamPart } from './stream-parts.js'
import type { TokenLogprob } from './token-logprob.js'

/** How the pictures of a request are cut; what is absent is as the model has it. */
export interface TileOptions {
  readonly maxTiles?: number | undefined
  readonly minTiles?: number | undefined
  readonly useThumbnail?: boolean | undefined
}

/** The part of a request that decides about its prompt. */
export interface PromptRequest {
  /** Turns in order; pictures are whatever the tiler takes. */
  readonly messages: readonly Message[]
  readonly tiles?: TileOptions | undefined
  /** Turn pictures as their EXIF orientation says; absent: as the tiler does by default. */
  readonly applyExif?: boolean | undefined
  /** Tools that the prompt tells the model of. */
  readonly tools?: readonly ToolDefinition[] | undefined
}

/** One thing to generate: checked options, plain data but for the pictures. */
export interface GenerateRequest extends PromptRequest {
  readonly sampling: SamplingOptions
  /** Absent: a new one each time. */
  readonly seed?: number | undefined
  /** Absent: the default, or less when the context has no room for it. */
  readonly maxTokens?: number | undefined
  /** Give log-probabilities with this many alternatives; absent: none. */
  readonly numLogprobs?: number | undefined
  readonly stop: readonly string[]
  /** Guess tokens ahead; absent: at temperature 0. */
  readonly promptLookup?: boolean | PromptLookupOptions | undefined
  /** What the answer must look like. */
  readonly format?: AnswerFormat | undefined
  /** When it was asked for, in ms since the epoch with fractions; times run from here. */
  readonly submittedAt: number
}

/** Tokens of one run. */
export interface Usage {
  /** Tokens of the prompt, image tokens included. */
  readonly promptTokens: number
  /** Those of them that are image embeddings. */
  readonly imageTokens: number
  /** Those of the prompt that an earlier run had read already; 0 when they are only counted. */
  readonly cachedTokens: number
  /** Tokens of the answer, the stop token included. */
  readonly completionTokens: number
  /** Tokens guessed ahead by prompt lookup. */
  readonly draftTokens: number
  /** Those of them that were right: so many tokens of the answer took no run of their own. */
  readonly acceptedDraftTokens: number
  readonly totalTokens: number
}

/** Where the time of one run went, in ms. A stage that was not reached took 0. */
export interface Timings {
  /** Waiting for earlier requests. */
  readonly queueMs: number
  /** Decoding and tiling pictures, writing and tokenising the prompt. */
  readonly preprocessMs: number
  /** Vision encoder and projector. */
  readonly visionMs: number
  readonly prefillMs: number
  /** From the call to the first token. */
  readonly timeToFirstTokenMs: number
  /** From the first token to the end. */
  readonly decodeMs: number
  /** Tokens after the first one, by `decodeMs`; 0 when there are none. */
  readonly tokensPerSecond: number
}

/** Why an answer ended: a stop token or string, no more tokens allowed, calls that nobody answered, an output filter, or the caller had enough. */
export type FinishReason = 'stop' | 'length' | 'tool-calls' | 'content-filter' | 'aborted'

/** A finished run. */
export interface GenerateResult {
  /** The answer: stop token and string left out, white space stripped. Equal to the streamed pieces joined. */
  readonly text: string
  /** The answer's tokens; a stop token that ended it is the last one. */
  readonly tokenIds: readonly number[]
  readonly finishReason: FinishReason
  /** One for each of `tokenIds`, if they were asked for. */
  readonly logprobs?: readonly TokenLogprob[] | undefined
  /** Repeats the answer; absent at temperature 0, which needs none, and for a run that never drew. */
  readonly seed?: number | undefined
  readonly usage: Usage
  readonly timings: Timings
  /** Where it ran: one word when all stages ran there, such as `cpu`, else each stage with its own. */
  readonly device: string
  /** Options that had no effect or were changed, as sentences. */
  readonly warnings: readonly string[]
  /** Name of the model. */
  readonly modelId: string
}

/** What happens during a run. */
export type EngineEvent =
  /** It left the queue. */
  | Extract<StreamPart, { type: 'start' }>
  /** A picture was encoded, or found in the cache. */
  | Extract<StreamPart, { type: 'image' }>
  /** Pictures encoded, or prompt tokens read. */
  | {
      readonly type: 'progress'
      readonly stage: 'vision' | 'prefill'
      readonly done: number
      readonly total: number
    }
  /** The model calls a tool, or a tool gave something back. */
  | Extract<StreamPart, { type: 'tool-call' | 'tool-result' }>
  /** Text that output filters let through, whose tokens come without theirs then; or text of a server that tells no tokens. */
  | { readonly type: 'text'; readonly text: string }
  /** A token, with the text that is certain because of it (often none). */
  | {
      readonly type: 'token'
      readonly id: number
      readonly index: number
      readonly text: string
      readonly logprob?: TokenLogprob | undefined
    }

/** What a run needs beside its request. */
export interface RunHooks {
  readonly onEvent: (event: EngineEvent) => void
  readonly signal: AbortSignal
}

/** A picture that the engine holds. */
export interface PreparedInfo {
  /** Name that the engine knows it by. */
  readonly id: string
  readonly tiles: number
  readonly tokens: number
  readonly hash: string
}

/** Pictures whose embeddings are asked for. */
export interface EmbedRequest extends PromptRequest {
  readonly pooling: 'mean' | 'none'
  readonly normalize: boolean
}

/** Image embeddings. */
export interface ImageEmbeddings {
  /** One for each picture: float32 [hiddenSize], or [tokens, hiddenSize] without pooling. */
  readonly embeddings: readonly FloatTensor[]
  /** Tokens of all pictures together. */
  readonly imageTokens: number
}

/** What can be asked beside a generation: name, request, answer. */
export interface EngineCalls {
  countTokens: { readonly request: PromptRequest; readonly value: Usage }
  prepareImage: { readonly request: PromptRequest; readonly value: PreparedInfo }
  embedImages: { readonly request: EmbedRequest; readonly value: ImageEmbeddings }
}

/** How an engine is that can end and start again. */
export interface EngineStatus {
  /** `failed`: it ended and could not be started; that is tried again. */
  readonly state: 'ready' | 'starting' | 'failed'
  /** How often it was started again. */
  readonly numRestarts: number
  /** Of the process that it runs in. */
  readonly pid: number | undefined
}

/** Runs requests, beginning in the order they came: in this thread, or in another one. */
export interface EngineClient {
  readonly info: ModelInfo
  /** Absent where the engine lives and dies with this process. */
  readonly status?: EngineStatus | undefined
  /**
   * Queue a request and run it.
   *
   * An abort stops the compute within one step and resolves with what there is, `finishReason` `aborted`.
   *
   * @throws {NVLMError} CONTEXT_OVERFLOW, UNSUPPORTED, IMAGE_*, INVALID_OPTION, NUMERIC, DISPOSED, ENGINE_FAILED
   */
  run(request: GenerateRequest, hooks: RunHooks): Promise<GenerateResult>
  /** Tokens of a request's prompt, without running the model. Waits for no other request. */
  countTokens(request: PromptRequest): Promise<Usage>
  /**
   * Queue the encoding of a request's first picture, and keep its embeddings until `releaseImage`.
   *
   * @throws as `run`, and the signal's reason on abort
   */
  prepareImage(request: PromptRequest, signal: AbortSignal): Promise<PreparedInfo>
  releaseImage(id: string): void
  /**
   * Queue the encoding of a request's pictures.
   *
   * @throws as `run`, and the signal's reason on abort
   */
  embedImages(request: EmbedRequest, signal: AbortSignal): Promise<ImageEmbeddings>
  /**
   * Read a picture as far as its bytes or pixels, so that it can be kept.
   *
   * @throws {NVLMError} IMAGE_*; the signal's reason on abort
   */
  openImage(image: unknown, signal?: AbortSignal): Promise<OpenedImage>
  /** Abort all runs, wait for them, free the model. A second call waits for the first. */
  dispose(): Promise<void>
}

/** Tokens of an answer when the request does not say, as the official code asks for. */
export const DEFAULT_MAX_TOKENS = 1024

/** Error of every call after `dispose`. */
export const DISPOSED_MESSAGE = 'the model is disposed; load it again'

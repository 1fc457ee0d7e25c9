import type { Device, TensorType } from '../../src/backend/backend.js'
import type { GenerateResult } from '../../src/nvlm/engine-client.js'
import type { ModelInfo } from '../../src/nvlm/stages.js'
import type { CachedModel } from '../../src/nvlm/web/model-cache.js'
import type { WireError } from '../../src/nvlm/worker/protocol.js'

/** A tensor as text, for the way between a test and a page. */
export interface WireTensor {
  readonly type: TensorType
  readonly dims: readonly number[]
  /** Little-endian elements in base64. */
  readonly base64: string
}

/** Options of loading that are plain data. */
export interface PageLoadOptions {
  readonly device?: 'auto' | Device
  readonly worker?: boolean
  readonly cache?: boolean | 'refresh'
  readonly headers?: Readonly<Record<string, string>>
  readonly wasmPaths?: string
  readonly numThreads?: number
  /** Abort as soon as something is fetched. */
  readonly abortOnDownload?: boolean
}

/** A model on a server, as plain data. */
export interface PageRemote {
  readonly baseURL: string
  readonly apiKey?: string
}

/** A loaded model and what was said while it loaded. */
export interface PageModel {
  readonly id: number
  readonly info: ModelInfo
  readonly warnings: readonly string[]
  /** Bytes reported last and wanted; undefined if nothing was fetched. */
  readonly downloaded: { readonly done: number; readonly total: number } | undefined
}

/** A question whose pictures are URLs. */
export interface PageQuestion {
  readonly messages: readonly object[]
  readonly maxTokens: number
  readonly maxTiles?: number
  readonly applyExif?: boolean
  /** Stop after so many tokens. */
  readonly abortAfter?: number
}

/** An answer, and how the page felt meanwhile. */
export interface PageAnswer {
  readonly result: Pick<GenerateResult, 'text' | 'tokenIds' | 'finishReason' | 'usage' | 'device'>
  readonly streamed: string
  /** Longest task of the page's thread in ms; 0 if none took longer than 50. */
  readonly longestTask: number
}

/** What a picture is made into before it is given to the library. */
export type PictureKind =
  | 'bytes'
  | 'blob'
  | 'file'
  | 'blob URL'
  | 'data URL'
  | 'relative URL'
  | 'URL object'
  | 'ImageBitmap'
  | 'ImageData'
  | 'canvas'
  | 'OffscreenCanvas'
  | 'img'
  | 'video'
  | 'VideoFrame'

/** A picture of the server, and how it is given. */
export interface PagePicture {
  /** Path on the server. */
  readonly path: string
  readonly kind: PictureKind
}

/** Decoded pixels or tiles, by hash. */
export interface PagePixels {
  readonly width: number
  readonly height: number
  /** SHA-256 of RGB bytes. */
  readonly sha256: string
}

/** Append tokens, go back to a length, or go on with a copy of the first tokens. */
export type SequenceAction =
  | { readonly append: readonly number[] }
  | { readonly truncate: number }
  | { readonly fork: number }

/** What came of an action. */
export interface ActionOutcome {
  /** float32 [1, vocabSize]; only of tokens that were appended. */
  readonly logits?: WireTensor
  readonly bytesMoved: number
}

/** What tests call inside of a page. Arguments and values are plain data. */
export interface PageCalls {
  load(url: string, options: PageLoadOptions): Promise<PageModel>
  /** Get in touch with a model on a server. */
  loadRemote(remote: PageRemote): Promise<number>
  ask(model: number, question: PageQuestion): Promise<PageAnswer>
  dispose(model: number): Promise<void>
  /** Load the layers into the page's own thread. */
  loadStages(url: string, device: Device): Promise<number>
  /** Embeddings of pictures, one after the other: float32 [tokens, hiddenSize]. */
  embed(stages: number, paths: readonly string[], maxTiles: number): Promise<readonly WireTensor[]>
  /** Logits of the last of some tokens: float32 [1, vocabSize]. */
  prefill(
    stages: number,
    inputIds: readonly number[],
    imageEmbeds: readonly WireTensor[],
  ): Promise<WireTensor>
  /** Do things to one sequence; for each the logits of the last token, and the bytes between page and graphics device. */
  replay(stages: number, actions: readonly SequenceAction[]): Promise<readonly ActionOutcome[]>
  disposeStages(stages: number): Promise<void>
  cached(): Promise<readonly CachedModel[]>
  removeCached(url: string): Promise<void>
  /** Ids of the prompt of a model's tokenizer. */
  tokenize(url: string, text: string): Promise<readonly number[]>
  /** Decode in the page. */
  decode(
    picture: PagePicture,
    options: { applyExif: boolean; maxBytes?: number; maxPixels?: number },
  ): Promise<PagePixels>
  /** Cut in the page; the tiles are one above the other. */
  tile(
    picture: PagePicture,
    options: { tileSize?: number; maxTiles?: number; applyExif?: boolean },
  ): Promise<PagePixels>
  /** Send a picture to a model's worker. */
  prepareImage(model: number, picture: PagePicture): Promise<{ tiles: number; hash: string }>
  /** Take the graphics devices of the page's own thread away. */
  loseDevices(): Promise<void>
  devices(): Promise<readonly Device[]>
  createSession(
    graph: { readonly base64: string; readonly name: string },
    device: Device,
  ): Promise<{ id: number; inputNames: readonly string[]; outputNames: readonly string[] }>
  runSession(
    session: number,
    feeds: Readonly<Record<string, WireTensor>>,
  ): Promise<Readonly<Record<string, WireTensor>>>
  disposeSession(session: number): Promise<void>
}

/** What came of a call. */
export type CallOutcome = { readonly value: unknown } | { readonly error: WireError }

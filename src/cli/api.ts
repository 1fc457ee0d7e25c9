import type { CachedFile, CachedModel } from '../hub/model-cache.js'
import type { Tiles } from '../image/tiles.js'
import type { GenerateResult } from '../nvlm/engine-client.js'
import type { GenerationProgress } from '../nvlm/generation-events.js'
import type { RgbImage } from '../platform/platform.js'
import type { Verification } from '../prepare/verify-model.js'
import type { Message } from '../tokenizer/messages.js'

/** What the commands need of the library; `src/cli.ts` binds it to the real one, tests to a fake. */
export interface CliApi {
  /** Load a folder, or a model by its name on the hub; without either, the model that comes with the package. */
  load(model: string | undefined, options: LoadOptions): Promise<LoadedModel>
  prepare(checkpoint: string, options: PrepareOptions): Promise<unknown>
  /** What a model holds, without loading its weights. */
  inspect(model: string, options: InspectOptions): Promise<object>
  /** Check every byte of a prepared folder. */
  verify(model: string, options: JobOptions): Promise<Verification>
  tile(image: string, options: TileOptions): Promise<Tiles>
  /** Read a picture from a path, a file: or data: URL, or the network. */
  openPicture(source: string, signal: AbortSignal): Promise<Picture>
  /** Download a model by its name; gives its folder. */
  pull(model: string, options: SourceOptions & JobOptions): Promise<string>
  /** Load a model and listen for requests. */
  serve(model: string | undefined, options: ServeOptions): Promise<RunningServer>
  readonly cache: CacheApi
  readonly demo: Demo
}

/** How a server is set up. Options left out take the library's defaults. */
export interface ServeOptions extends LoadOptions {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly apiKey?: string | undefined
  readonly allowedHosts?: readonly string[] | undefined
  readonly modelName?: string | undefined
  readonly concurrency?: number | undefined
  /** In bytes; 0 keeps nothing. */
  readonly prefixCache?: number | undefined
  readonly maxQueued?: number | undefined
  readonly contextLength?: number | undefined
  /** Fetch pictures that requests name by http(s) URLs. */
  readonly imageUrls: boolean
  /** Networks that pictures may come from beside public addresses. */
  readonly imageNetworks?: readonly string[] | undefined
  /** Folder that requests may name pictures in. */
  readonly imageFolder?: string | undefined
  readonly stallTimeoutMs?: number | undefined
  readonly onRequest?: ((record: RequestRecord) => void) | undefined
}

/** What happened with one request. */
export interface RequestRecord {
  readonly id: string
  readonly method: string
  readonly route: string
  readonly status: number
  readonly ms: number
  /** What went wrong, of which the client was told less. */
  readonly error?: string
}

/** A server that listens. */
export interface RunningServer {
  readonly url: string
  readonly modelName: string
  /** Let what runs end, and free the model. */
  close(): Promise<void>
}

/** The models that were downloaded by name. */
export interface CacheApi {
  list(): Promise<readonly CachedModel[]>
  /** @returns bytes that were freed */
  remove(
    name: string,
    options: { readonly revision?: string | undefined; readonly signal: AbortSignal },
  ): Promise<number>
  verify(
    name: string,
    options: JobOptions,
  ): Promise<{ readonly ok: boolean; readonly files: readonly CachedFile[] }>
}

/** The picture and question of `nvlm demo`. */
export interface Demo {
  /** Path of the picture. */
  readonly image: string
  readonly question: string
}

/** How far a long job is. `done` and `total` count the same unit; `total` 0 means unknown. */
export interface JobProgress {
  readonly label: string
  readonly done: number
  readonly total: number
  /** Counted in bytes: how many come in a second. */
  readonly bytesPerSecond?: number | undefined
  readonly etaSeconds?: number | undefined
}

/** What any long job takes. */
export interface JobOptions {
  readonly signal: AbortSignal
  readonly onProgress: (progress: JobProgress) => void
}

/** Where a model by name comes from. */
export interface SourceOptions {
  readonly revision?: string | undefined
  /** Called with a sentence that the user must see, such as a licence that forbids commercial use. */
  readonly onNotice: (message: string) => void
}

export interface LoadOptions extends JobOptions, SourceOptions {
  readonly dtype?: string | undefined
}

export interface PrepareOptions extends JobOptions, SourceOptions {
  readonly out: string
  readonly dtype?: string | undefined
  readonly rounding?: string | undefined
  readonly activations?: string | undefined
  readonly hashWeights?: boolean | undefined
  readonly numThreads?: number | undefined
}

export interface InspectOptions {
  readonly revision?: string | undefined
  readonly dtype?: string | undefined
  readonly contextLength?: number | undefined
}

export interface TileOptions {
  readonly tileSize?: number | undefined
  readonly maxTiles?: number | undefined
  readonly applyExif: boolean
  readonly signal: AbortSignal
}

/** A model ready to answer. */
export interface LoadedModel {
  readonly id: string
  generate(options: AskOptions): Answer
  /** Begin a conversation; wrong settings throw at once. */
  chat(start: ChatStart): Chat
  dispose(): Promise<void>
}

/** One question. Options left out take the library's defaults. */
export interface AskOptions {
  readonly prompt: string
  /** Paths and data URLs. */
  readonly images: readonly string[]
  readonly maxTokens?: number | undefined
  readonly temperature?: number | undefined
  readonly seed?: number | undefined
  readonly signal: AbortSignal
}

/** A picture that was read and decoded. */
export interface Picture {
  /** What it was asked for as. */
  readonly source: string
  /** The encoded file. */
  readonly bytes: Uint8Array
  readonly pixels: RgbImage
}

/** How answers of a conversation are drawn. Settings left out take the library's defaults. */
export interface ChatSettings {
  readonly temperature?: number | undefined
  readonly topK?: number | undefined
  readonly topP?: number | undefined
  readonly minP?: number | undefined
  readonly repetitionPenalty?: number | undefined
  readonly minTokens?: number | undefined
  readonly maxTokens?: number | undefined
  readonly seed?: number | undefined
}

/** How a conversation begins: with a system prompt, with turns, or with what `save` gave. */
export interface ChatStart extends ChatSettings {
  readonly system?: string | undefined
  readonly messages?: readonly Message[] | undefined
  readonly restore?: Uint8Array | undefined
}

/** A conversation; a turn that made no text leaves it as it was. */
export interface Chat {
  /** The turns so far, the system prompt first if there is one. */
  readonly messages: readonly Message[]
  send(question: string, options: SendOptions): Answer
  /** Take back the last turns. */
  rewind(numTurns: number): void
  save(): Promise<Uint8Array>
}

/** One turn. */
export interface SendOptions extends ChatSettings {
  /** Encoded pictures. */
  readonly images?: readonly Uint8Array[] | undefined
  readonly signal: AbortSignal
}

/** One run: iterate it for text, await it for the result, listen for how far the work before the first token is. */
export interface Answer extends AsyncIterable<string>, PromiseLike<GenerateResult> {
  on(name: 'progress', listener: (progress: GenerationProgress) => void): unknown
}

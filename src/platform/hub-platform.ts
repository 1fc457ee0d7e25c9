import type { BlobStore } from './blob-store.js'
import type { Files } from './platform.js'

/** An answer of a server; its body is read once or cancelled. */
export interface HttpResponse {
  readonly status: number
  /** Value of a header by its lower-case name. */
  header(name: string): string | undefined
  readonly body: AsyncIterable<Uint8Array>
  /** Stop receiving. */
  cancel(): void
}

/** What is asked of a server. */
export interface HttpRequest {
  readonly headers: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** One GET request. Redirects are answers like any other; a failed connection rejects. */
export type HttpGet = (url: string, request: HttpRequest) => Promise<HttpResponse>

/** Time and chance, so that tests need not wait. */
export interface Clock {
  /** Milliseconds of a clock that only goes forward. */
  now(): number
  /** Milliseconds since 1970, to read the dates of servers. */
  epoch(): number
  /** @throws the signal's reason on abort */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** From 0 up to, and without, 1. */
  random(): number
}

/** Everything that the downloader wants of a machine. */
export interface HubPlatform {
  readonly files: Files
  readonly store: BlobStore
  readonly get: HttpGet
  readonly clock: Clock
  /** A variable of the environment; undefined if it is not set, or empty. */
  env(name: string): string | undefined
  /** Folder of the user. */
  readonly homeFolder: string
  /** Memory of the machine, or of its container, in bytes. */
  readonly memoryBytes: number
}

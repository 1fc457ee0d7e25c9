import { sha256 } from '@noble/hashes/sha2.js'
import { bytesToHex } from '@noble/hashes/utils.js'
import { NVLMError } from '../../core/errors.js'

/** A file to fetch. */
export interface RemoteFile {
  readonly url: string
  /** Size in bytes. */
  readonly bytes: number
  /** Lower-case hexadecimal; undefined if nobody recorded it, then only the size is checked. */
  readonly sha256: string | undefined
  /** Looks at the whole file where there is no hash of all of it. */
  readonly isRight?: ((blob: Blob) => Promise<boolean>) | undefined
}

/** Where a download goes; it may hold the beginning from an earlier try. */
export interface DownloadSink {
  readonly size: number
  /** The pieces that it holds, from the start. */
  pieces(): AsyncIterable<Uint8Array>
  /** Add to the end. @throws {NVLMError} CACHE if there is no room */
  append(bytes: Uint8Array): void
  /** Forget everything. */
  reset(): void
}

/** How files are fetched. */
export interface FetchOptions {
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly signal?: AbortSignal | undefined
  /** Called with the bytes of this file that are there, which may go back when it begins anew. */
  readonly onBytes?: ((numBytes: number) => void) | undefined
  /** Wait before another try; default: longer each time. */
  readonly pause?: ((numFailures: number) => Promise<void>) | undefined
}

/** Tries in a row that may bring nothing. */
const MAX_FAILURES = 4

/**
 * Fetch a file into a sink, going on behind what it holds, over broken connections, until it is whole.
 *
 * @throws {NVLMError} DOWNLOAD_FAILED, MODEL_NOT_FOUND, UNAUTHORIZED, INTEGRITY if the content is another, CACHE; the signal's reason on abort
 */
export async function download(
  file: RemoteFile,
  sink: DownloadSink,
  options: FetchOptions = {},
): Promise<void> {
  const transfer = new Transfer(file, sink, options)
  await transfer.takeOver()
  await transfer.complete()
  if (transfer.isRight()) return
  // what an earlier try left may have been of an older version of the file
  transfer.reset()
  await transfer.complete()
  if (transfer.isRight()) return
  transfer.reset()
  throw wrongContent(file, `its SHA-256 is not ${file.sha256}`)
}

/** The error for a file that arrived whole and is not what was expected. */
export function wrongContent({ url }: RemoteFile, what: string): NVLMError {
  return new NVLMError('INTEGRITY', `${url}: ${what}`, {
    hint: 'The file on the server is damaged or of another version of the model: upload the prepared folder again.',
  })
}

/** One file on its way. */
class Transfer {
  private hash = sha256.create()

  constructor(
    private readonly file: RemoteFile,
    private readonly sink: DownloadSink,
    private readonly options: FetchOptions,
  ) {}

  /** Hash what an earlier try has left. */
  async takeOver(): Promise<void> {
    if (this.sink.size > this.file.bytes) this.reset()
    for await (const piece of this.sink.pieces()) {
      this.options.signal?.throwIfAborted()
      this.hash.update(piece)
    }
    this.options.onBytes?.(this.sink.size)
  }

  isRight(): boolean {
    return this.file.sha256 === undefined || bytesToHex(this.hash.clone().digest()) === this.file.sha256
  }

  reset(): void {
    this.sink.reset()
    this.hash = sha256.create()
    this.options.onBytes?.(0)
  }

  /** Fetch what is missing, in as many requests as it takes. */
  async complete(): Promise<void> {
    const { file, sink } = this
    const { signal, pause = waitLonger } = this.options
    for (let numFailures = 0; sink.size < file.bytes; ) {
      signal?.throwIfAborted()
      const before = sink.size
      try {
        await this.fetchRest()
      } catch (error) {
        signal?.throwIfAborted()
        if (NVLMError.isInstance(error)) throw error
        numFailures = sink.size > before ? 1 : numFailures + 1
        if (numFailures >= MAX_FAILURES) throw this.failed(error)
        await pause(numFailures)
      }
    }
  }

  /** One request. Ends early without an error if the connection does. */
  private async fetchRest(): Promise<void> {
    const { file, sink } = this
    const { headers, signal } = this.options
    const range = sink.size === 0 ? {} : { range: `bytes=${sink.size}-` }
    const response = await request(file.url, { headers: { ...headers, ...range }, signal })
    if (!isRestFrom(response, sink.size)) {
      this.reset()
      if (response.status !== 200) {
        await response.body?.cancel()
        throw new Error(`the server answered a request for a part with ${response.status}`)
      }
    }
    const before = sink.size
    for await (const chunk of chunksOf(response)) this.append(chunk)
    if (sink.size === before) throw new Error('the server sent nothing')
  }

  private append(chunk: Uint8Array): void {
    const { file, sink } = this
    if (sink.size + chunk.byteLength > file.bytes) {
      throw wrongContent(file, `it is longer than the ${file.bytes} bytes that were expected`)
    }
    sink.append(chunk)
    this.hash.update(chunk)
    this.options.onBytes?.(sink.size)
  }

  private failed(cause: unknown): NVLMError {
    const why = cause instanceof Error ? cause.message : String(cause)
    const { url, bytes } = this.file
    return new NVLMError('DOWNLOAD_FAILED', `${url}: stopped at byte ${this.sink.size} of ${bytes}: ${why}`, {
      hint: 'Check the connection and load the model again: what has arrived is kept.',
      cause,
    })
  }
}

/** Does a response carry the bytes from `start` on? */
function isRestFrom({ status, headers }: Response, start: number): boolean {
  if (start === 0) return status === 200
  return status === 206 && (headers.get('content-range') ?? '').startsWith(`bytes ${start}-`)
}

async function* chunksOf(response: Response): AsyncIterable<Uint8Array> {
  const reader = response.body?.getReader()
  if (reader === undefined) return
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } finally {
    // a caller that leaves early wants no more of it
    await reader.cancel().catch(() => {})
  }
}

/**
 * Ask for a file.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND, UNAUTHORIZED; Error for what may go well another time
 */
export async function request(
  url: string,
  { headers = {}, signal }: Pick<FetchOptions, 'headers' | 'signal'>,
): Promise<Response> {
  // what is kept is kept by us, once; and a copy of the browser's could be of an older version
  const response = await fetch(url, { headers, cache: 'no-store', ...(signal && { signal }) } as RequestInit)
  if (response.ok) return response
  await response.body?.cancel()
  const { status } = response
  if (status === 404 || status === 410) {
    throw new NVLMError('MODEL_NOT_FOUND', `${url}: the server has no such file (${status})`, {
      hint: 'Check the URL: it must be that of a folder made by "nvlm prepare".',
    })
  }
  if (status === 401 || status === 403) {
    throw new NVLMError('UNAUTHORIZED', `${url}: the server refuses access (${status})`, {
      hint: 'Give what it asks for in the option "headers".',
    })
  }
  if (status === 416) return response
  throw new Error(`the server answered ${status}`)
}

async function waitLonger(numFailures: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, 250 * 2 ** numFailures))
}

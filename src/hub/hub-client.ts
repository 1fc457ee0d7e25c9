import { NVLMError } from '../core/errors.js'
import { parseJson } from '../formats/json.js'
import type { HttpResponse, HubPlatform } from '../platform/hub-platform.js'
import { isUnreachable, refuseStatus, safeUrl } from './http-failures.js'
import type { HubSettings } from './hub-options.js'
import { parseRetryAfter, Retries, type RetryPolicy, withRetries } from './retry.js'
import { TransientFailure } from './transient-failure.js'
import { TransferWatch } from './watch-transfer.js'

/** An answer that is being received; `end` must be called when nothing more of it is wanted. */
export interface HubAnswer {
  readonly response: HttpResponse
  /** Pieces of the body. A broken or stalled connection throws `TransientFailure`. */
  readonly pieces: AsyncIterable<Uint8Array>
  end(): void
}

/** A small answer, whole. */
export interface HubJson {
  readonly value: unknown
  /** Address of the next page, if there is one. */
  readonly next: string | undefined
}

/** The parts of a request that differ. */
export interface OpenOptions {
  /** What is fetched, for messages. */
  readonly what: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly signal: AbortSignal | undefined
}

const MAX_REDIRECTS = 5

/** Requests to one hub. */
export class HubClient {
  private readonly origin: string

  constructor(
    private readonly platform: HubPlatform,
    private readonly settings: Pick<HubSettings, 'endpoint' | 'token'>,
    private readonly policy: RetryPolicy,
  ) {
    this.origin = new URL(settings.endpoint).origin
  }

  /** Address below the endpoint; each segment of the path is escaped. */
  url(...segments: readonly string[]): string {
    return [this.settings.endpoint, ...segments.map(encodeURIComponent)].join('/')
  }

  retries(what: string): Retries {
    return new Retries(this.policy, this.platform.clock, what)
  }

  /**
   * Send a GET request and follow redirects. The token goes to the endpoint's own origin only.
   *
   * @throws {TransientFailure} where another try may help
   * @throws {NVLMError} UNAUTHORIZED, MODEL_NOT_FOUND, DOWNLOAD_FAILED; the signal's reason on abort
   */
  async open(url: string, { what, headers = {}, signal }: OpenOptions): Promise<HubAnswer> {
    const watch = new TransferWatch(this.policy, signal)
    try {
      const response = await this.follow(url, what, headers, watch.signal)
      return {
        response,
        pieces: receive(response, watch, signal),
        end: () => {
          watch.end()
          response.cancel()
        },
      }
    } catch (error) {
      watch.end()
      signal?.throwIfAborted()
      throw error
    }
  }

  /**
   * Fetch a JSON document, with retries.
   *
   * @throws {NVLMError} as `open`, and DOWNLOAD_FAILED for an answer that is too large or no JSON
   */
  async json(url: string, what: string, maxBytes: number, options: JsonOptions = {}): Promise<HubJson> {
    const { signal, failFast } = options
    return withRetries(this.retries(what), signal, async () => {
      try {
        const answer = await this.open(url, { what, signal })
        const bytes = await readWhole(answer, what, maxBytes)
        return { value: parseAnswer(bytes, what, maxBytes), next: this.nextPage(answer.response, url) }
      } catch (error) {
        if (failFast?.(error)) throw new NVLMError('DOWNLOAD_FAILED', messageOf(error), { cause: error })
        throw error
      }
    })
  }

  private async follow(url: string, what: string, headers: OpenOptions['headers'], signal: AbortSignal) {
    let current = new URL(url)
    for (let numRedirects = 0; ; numRedirects++) {
      const isHub = current.origin === this.origin
      const response = await this.send(
        current,
        { ...headers, ...(isHub ? this.authorization() : {}) },
        signal,
      )
      const { status } = response
      if (status === 200 || status === 206) return response
      response.cancel()
      if (![301, 302, 303, 307, 308].includes(status)) {
        const retryAfterMs = parseRetryAfter(response.header('retry-after'), this.platform.clock)
        return refuseStatus(response, {
          what,
          url: safeUrl(current),
          isHub,
          hasToken: this.settings.token !== undefined,
          retryAfterMs,
        })
      }
      if (numRedirects >= MAX_REDIRECTS) {
        throw new NVLMError('DOWNLOAD_FAILED', `${what}: more than ${MAX_REDIRECTS} redirects`)
      }
      current = redirectTarget(response, current, what)
    }
  }

  private async send(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal) {
    const common = { 'user-agent': 'nvlm-ts', 'accept-encoding': 'identity' }
    try {
      return await this.platform.get(url.href, { headers: { ...common, ...headers }, signal })
    } catch (cause) {
      if (signal.aborted) throw signal.reason
      throw new TransientFailure(`${url.host} can't be reached (${codeOf(cause)})`, {
        cause,
        isUnreachable: isUnreachable(cause),
      })
    }
  }

  private authorization(): Record<string, string> {
    const { token } = this.settings
    return token === undefined ? {} : { authorization: `Bearer ${token}` }
  }

  /** The address in `Link: <…>; rel="next"`, on this hub. */
  private nextPage(response: HttpResponse, url: string): string | undefined {
    const target = /<([^<>]+)>\s*;\s*rel="?next"?/.exec(response.header('link') ?? '')?.[1]
    if (target === undefined || !URL.canParse(target, url)) return undefined
    const next = new URL(target, url)
    return next.origin === this.origin ? next.href : undefined
  }
}

/** How a JSON document is fetched. */
export interface JsonOptions {
  readonly signal?: AbortSignal | undefined
  /** Is a failure one that is not worth another try here? */
  readonly failFast?: ((error: unknown) => boolean) | undefined
}

function redirectTarget(response: HttpResponse, from: URL, what: string): URL {
  const location = response.header('location') ?? ''
  const target = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  const isDowngrade = from.protocol === 'https:' && target?.protocol !== 'https:'
  if (target && /^https?:$/.test(target.protocol) && !isDowngrade && target.username === '') return target
  throw new NVLMError(
    'DOWNLOAD_FAILED',
    `${what}: ${from.host} redirects to an address that is not followed`,
    {
      hint: 'Followed are http and https addresses, and from https only https.',
    },
  )
}

async function* receive(
  response: HttpResponse,
  watch: TransferWatch,
  signal: AbortSignal | undefined,
): AsyncIterable<Uint8Array> {
  try {
    for await (const piece of response.body) {
      watch.count(piece.byteLength)
      if (watch.signal.aborted) throw watch.signal.reason
      yield piece
    }
  } catch (cause) {
    signal?.throwIfAborted()
    if (watch.signal.aborted) throw watch.signal.reason
    if (NVLMError.isInstance(cause) || cause instanceof TransientFailure) throw cause
    throw new TransientFailure(`the connection broke (${codeOf(cause)})`, { cause })
  }
}

/** Receive all of a small answer. */
export async function readWhole(
  { pieces, end }: HubAnswer,
  what: string,
  maxBytes: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const piece of pieces) {
      length += piece.byteLength
      if (length > maxBytes) {
        throw new NVLMError('DOWNLOAD_FAILED', `${what}: the answer is longer than ${maxBytes} bytes`)
      }
      parts.push(piece)
    }
  } finally {
    end()
  }
  const whole = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.byteLength
  }
  return whole
}

function parseAnswer(bytes: Uint8Array, what: string, maxBytes: number): unknown {
  try {
    return parseJson(bytes, { path: what, maxBytes, largeIntegers: 'round' })
  } catch (cause) {
    throw new NVLMError('DOWNLOAD_FAILED', `${what}: the answer is not JSON`, {
      hint: 'The address is not that of a hub, or a proxy answers in its place: check HF_ENDPOINT and HTTPS_PROXY.',
      cause,
    })
  }
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : messageOf(cause)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

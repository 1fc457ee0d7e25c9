import { NVLMError } from '../core/errors.js'
import { parseRetryAfter } from '../hub/retry.js'
import type { Clock } from '../platform/hub-platform.js'
import type { RemoteSettings } from './remote-options.js'
import { RetryableFailure } from './retryable-failure.js'
import { refuse } from './server-refusal.js'

/** Most bytes of an answer that is no stream, and of a refusal. */
const MAX_JSON_BYTES = 4_194_304
const MAX_REFUSAL_BYTES = 65_536

/** How long a refusal's body is waited for. */
const REFUSAL_MS = 5_000

/** One request. */
export interface ServerRequest {
  /** Relative to the base URL. */
  readonly path: string
  /** JSON to post; absent: a GET. */
  readonly body?: unknown
  readonly signal: AbortSignal
}

/** Speaks HTTP with one server: nothing of it is believed, nothing of it is unbounded. */
export class ChatServer {
  /** Address without secrets, for messages. */
  readonly name: string

  constructor(
    readonly baseURL: URL,
    private readonly settings: RemoteSettings,
    private readonly clock: Clock,
  ) {
    this.name = baseURL.href.replace(/\/$/, '')
  }

  /** Texts that no message may hold. */
  get secrets(): readonly string[] {
    const { apiKey, headers } = this.settings
    return [
      ...(apiKey === undefined ? [] : [apiKey]),
      ...Object.values(headers).filter(({ length }) => length > 7),
    ]
  }

  /**
   * Send a request and wait for the head of its answer. The body must be read or cancelled.
   *
   * @throws {RetryableFailure} if nobody answers or the server is busy
   * @throws {NVLMError} as `refuse`, REMOTE_FAILED for a redirect; the signal's reason on abort
   */
  async send({ path, body, signal }: ServerRequest): Promise<Response> {
    const { apiKey, headers, fetch } = this.settings
    const url = new URL(path, this.baseURL)
    const request: RequestInit = {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        ...headers,
        accept: 'text/event-stream, application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(apiKey !== undefined && { authorization: `Bearer ${apiKey}` }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      // another host must get neither the key nor the pictures
      redirect: 'manual',
      signal,
    }
    const response = await fetch(url, request).catch(cause => {
      signal.throwIfAborted()
      throw this.unreachable(cause)
    })
    if (response.ok) return response
    return this.refuse(response, url)
  }

  /**
   * The JSON of an answer.
   *
   * @throws as `send`; {NVLMError} REMOTE_FAILED for what is no JSON or too long
   */
  async json(request: ServerRequest): Promise<unknown> {
    const response = await this.send(request)
    const text = await this.readText(response, MAX_JSON_BYTES, request.signal)
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw new NVLMError('REMOTE_FAILED', `${this.name}: ${request.path} is no JSON`, {
        hint: 'Check remote.baseURL: something else than a chat server answers.',
        cause,
      })
    }
  }

  /** Does it answer at all? @param signal - bounds the wait */
  async isAlive(signal: AbortSignal): Promise<boolean> {
    try {
      const response = await this.settings.fetch(new URL(this.healthPath, this.baseURL), {
        redirect: 'manual',
        signal,
      })
      await response.body?.cancel()
      return response.status < 500
    } catch {
      return false
    }
  }

  /** The failure of a connection. */
  unreachable(cause: unknown): RetryableFailure {
    const error = new NVLMError('REMOTE_FAILED', `${this.name}: ${describeCause(cause)}`, {
      hint: 'Check that the server runs, its address, and the network between.',
      cause,
    })
    return new RetryableFailure(error, { isDown: true })
  }

  /** vLLM and this library's server have it beside `/v1`. */
  private get healthPath(): string {
    return this.baseURL.pathname.replace(/(\/v\d+)?\/$/, '/health')
  }

  private async refuse(response: Response, url: URL): Promise<never> {
    const { status, type } = response
    if (type === 'opaqueredirect' || (status >= 300 && status < 400)) {
      await response.body?.cancel()
      throw new NVLMError('REMOTE_FAILED', `${this.name} redirects to another address`, {
        hint: 'Redirects are not followed, so that the key goes nowhere else. Give the new address as remote.baseURL.',
        details: { status },
      })
    }
    const body = await this.readText(response, MAX_REFUSAL_BYTES, AbortSignal.timeout(REFUSAL_MS)).catch(
      () => '',
    )
    const retryAfterMs = parseRetryAfter(response.headers.get('retry-after') ?? undefined, this.clock)
    return refuse({ status, body, retryAfterMs, url: `${url.origin}${url.pathname}`, secrets: this.secrets })
  }

  private async readText(response: Response, maxBytes: number, signal: AbortSignal): Promise<string> {
    const reader = response.body?.getReader()
    if (!reader) return ''
    const onAbort = () => void reader.cancel().catch(() => {})
    signal.addEventListener('abort', onAbort, { once: true })
    const decoder = new TextDecoder()
    let text = ''
    let numBytes = 0
    try {
      for (;;) {
        const { done, value } = await reader.read()
        signal.throwIfAborted()
        if (done) return text + decoder.decode()
        numBytes += value.byteLength
        if (numBytes > maxBytes) {
          throw new NVLMError('REMOTE_FAILED', `${this.name}: an answer of more than ${maxBytes} bytes`)
        }
        text += decoder.decode(value, { stream: true })
      }
    } catch (error) {
      signal.throwIfAborted()
      throw NVLMError.isInstance(error) ? error : this.unreachable(error)
    } finally {
      signal.removeEventListener('abort', onAbort)
      await reader.cancel().catch(() => {})
    }
  }
}

/** What went wrong, where fetch hides it in causes. */
function describeCause(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause)
  const inner = cause.cause
  if (inner instanceof AggregateError && inner.errors.length > 0) return describeCause(inner.errors[0])
  return inner instanceof Error ? inner.message || inner.name : cause.message
}

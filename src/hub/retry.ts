import { NVLMError } from '../core/errors.js'
import type { Clock } from '../platform/hub-platform.js'
import { TransientFailure } from './transient-failure.js'

/** How often and how patiently a request is repeated. */
export interface RetryPolicy {
  /** Failures in a row, without anything received, before giving up. */
  readonly maxFailures: number
  /** First pause; each following one is twice as long. */
  readonly firstDelayMs: number
  readonly maxDelayMs: number
  /** A server that asks for a longer pause than this is not waited for. */
  readonly maxRetryAfterMs: number
  /** Less than this many bytes in `stallMs` is a connection that has died. */
  readonly stallBytes: number
  readonly stallMs: number
}

/** About half a minute of pauses altogether; the hub's rate limits count in windows of five minutes. */
export const defaultRetryPolicy: RetryPolicy = {
  maxFailures: 6,
  firstDelayMs: 500,
  maxDelayMs: 30_000,
  maxRetryAfterMs: 300_000,
  stallBytes: 10_000,
  stallMs: 30_000,
}

/** Counts failures in a row, and waits between them. */
export class Retries {
  private numFailures = 0

  constructor(
    private readonly policy: RetryPolicy,
    private readonly clock: Clock,
    /** What is tried, for the message. */
    private readonly what: string,
  ) {}

  /** Something was received: what failed before does not count any more. */
  succeed(): void {
    this.numFailures = 0
  }

  /**
   * Wait before the next try.
   *
   * @throws {NVLMError} DOWNLOAD_FAILED if there were too many; the error itself if it is not transient
   */
  async pause(error: unknown, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (!(error instanceof TransientFailure)) throw error
    const { maxFailures, firstDelayMs, maxDelayMs, maxRetryAfterMs } = this.policy
    const { retryAfterMs } = error.options
    const isTooLong = retryAfterMs !== undefined && retryAfterMs > maxRetryAfterMs
    if (++this.numFailures >= maxFailures || isTooLong) throw this.failure(error, isTooLong)
    // the chance keeps many processes from coming back in the same moment
    const backoff = Math.min(maxDelayMs, firstDelayMs * 2 ** (this.numFailures - 1))
    const delay = retryAfterMs ?? backoff * (0.5 + this.clock.random() / 2)
    await this.clock.sleep(delay, signal)
  }

  private failure(error: TransientFailure, isTooLong: boolean): NVLMError {
    const seconds = Math.ceil((error.options.retryAfterMs ?? 0) / 1000)
    const end = isTooLong ? `it asks to wait ${seconds} s` : `given up after ${this.numFailures} tries`
    return new NVLMError('DOWNLOAD_FAILED', `${this.what}: ${error.message}; ${end}`, {
      hint: 'Try again later: what was received is kept. Behind a proxy, set HTTPS_PROXY; for a mirror, HF_ENDPOINT.',
      cause: error,
    })
  }
}

/** Run `work` until it succeeds, fails for good, or has failed too often. */
export async function withRetries<Result>(
  retries: Retries,
  signal: AbortSignal | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      await retries.pause(error, signal)
    }
  }
}

/** Milliseconds that a Retry-After header asks for: seconds, or a date. */
export function parseRetryAfter(value: string | undefined, clock: Clock): number | undefined {
  if (value === undefined) return undefined
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000
  const date = Date.parse(value)
  return Number.isNaN(date) ? undefined : Math.max(0, date - clock.epoch())
}

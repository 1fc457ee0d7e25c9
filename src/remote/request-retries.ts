import { NVLMError } from '../core/errors.js'
import type { Clock } from '../platform/hub-platform.js'
import type { Replica, Replicas } from './replicas.js'
import { RetryableFailure } from './retryable-failure.js'

/** Pause before a further try, twice as long each time. */
const FIRST_DELAY_MS = 500
const MAX_DELAY_MS = 15_000

/** A server that asks for a longer pause is not waited for. */
const MAX_RETRY_AFTER_MS = 60_000

/** What a request that may be tried again needs. */
export interface RetryOptions {
  readonly replicas: Replicas
  readonly clock: Clock
  readonly maxRetries: number
  readonly signal: AbortSignal
  /** May it still be tried again: has nothing of its answer been shown? */
  readonly canRetry: () => boolean
}

/**
 * Do something at a server. If it fails in a way that may pass, do it at another one, or after a pause at the same.
 *
 * @throws what `work` throws at last, a `RetryableFailure` as its error; the signal's reason on abort
 */
export async function atSomeReplica<T>(
  { replicas, clock, maxRetries, signal, canRetry }: RetryOptions,
  work: (replica: Replica) => Promise<T>,
): Promise<T> {
  const failed = new Set<Replica>()
  for (let numFailures = 0; ; ) {
    signal.throwIfAborted()
    const replica = await replicas.take(failed)
    try {
      const value = await work(replica)
      replicas.reportSuccess(replica)
      return value
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof RetryableFailure)) throw error
      replicas.reportFailure(replica, error.options)
      failed.add(replica)
      if (++numFailures > maxRetries || !canRetry()) throw finalError(error, numFailures)
      if (failed.size < replicas.size && replicas.numReady > 0) continue
      failed.clear()
      const pause = pauseMs(error, numFailures, clock)
      if (pause > MAX_RETRY_AFTER_MS) throw finalError(error, numFailures)
      await clock.sleep(pause, signal)
    } finally {
      replicas.release(replica)
    }
  }
}

function pauseMs({ options }: RetryableFailure, numFailures: number, clock: Clock): number {
  const backoff = Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (numFailures - 1))
  // the chance keeps many clients from coming back in the same moment
  return options.retryAfterMs ?? backoff * (0.5 + clock.random() / 2)
}

function finalError({ error }: RetryableFailure, numFailures: number): NVLMError {
  if (numFailures < 2) return error
  const { code, message, hint, details, cause } = error
  return new NVLMError(code, `${message}; given up after ${numFailures} tries`, { hint, details, cause })
}

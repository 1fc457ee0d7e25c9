import type { RetryPolicy } from './retry.js'
import { TransientFailure } from './transient-failure.js'

/** Watches how fast bytes come; a connection that stalls is aborted with a `TransientFailure`. */
export class TransferWatch {
  private readonly controller = new AbortController()
  private readonly timer: ReturnType<typeof setInterval>
  private readonly unlink: () => void
  private numBytes = 0

  constructor({ stallBytes, stallMs }: RetryPolicy, outer: AbortSignal | undefined) {
    const onAbort = () => this.controller.abort(outer?.reason)
    if (outer?.aborted) onAbort()
    outer?.addEventListener('abort', onAbort, { once: true })
    this.unlink = () => outer?.removeEventListener('abort', onAbort)
    this.timer = setInterval(() => {
      const isStalled = this.numBytes < stallBytes
      this.numBytes = 0
      if (isStalled)
        this.controller.abort(
          new TransientFailure(`less than ${stallBytes} bytes came in ${stallMs / 1000} s`),
        )
    }, stallMs)
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  count(numBytes: number): void {
    this.numBytes += numBytes
  }

  /** Stop watching. */
  end(): void {
    clearInterval(this.timer)
    this.unlink()
  }
}

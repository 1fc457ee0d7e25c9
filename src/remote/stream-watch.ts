import { NVLMError } from '../core/errors.js'
import { RetryableFailure } from './retryable-failure.js'

/** How long a stream may be silent. */
export interface StreamPatience {
  /** Before its first piece, in ms. */
  readonly timeoutMs: number
  /** Between two pieces, in ms. */
  readonly idleTimeoutMs: number
}

/** Aborts a stream that has gone silent. Pieces count only that bring something: a server can send empty ones forever. */
export class StreamWatch {
  private readonly controller = new AbortController()
  private timer: ReturnType<typeof setTimeout> | undefined

  /** @param name - of the server, for the message */
  constructor(
    private readonly name: string,
    private readonly patience: StreamPatience,
    private readonly outer: AbortSignal,
  ) {
    if (outer.aborted) this.onAbort()
    else outer.addEventListener('abort', this.onAbort, { once: true })
    this.arm(patience.timeoutMs, 'no piece of the answer')
  }

  get signal(): AbortSignal {
    return this.controller.signal
  }

  /** A piece came. */
  advance(): void {
    this.arm(this.patience.idleTimeoutMs, 'nothing more of the answer')
  }

  stop(): void {
    clearTimeout(this.timer)
    this.outer.removeEventListener('abort', this.onAbort)
  }

  private readonly onAbort = () => this.controller.abort(this.outer.reason)

  private arm(ms: number, what: string): void {
    clearTimeout(this.timer)
    const hint = 'The server is overloaded or hangs; for long queues and prompts raise remote.timeoutMs.'
    this.timer = setTimeout(() => {
      const error = new NVLMError('REMOTE_FAILED', `${this.name} sent ${what} in ${ms} ms`, { hint })
      this.controller.abort(new RetryableFailure(error))
    }, ms)
  }
}

import type { Ticket } from './admission.js'
import type { ApiCall } from './api-call.js'
import type { ApiError } from './api-error.js'
import { ChoiceRun } from './choice-run.js'
import { toApiError } from './describe-error.js'
import { type EventWriter, eventStream } from './event-stream.js'
import type { GenerationPlan } from './generation-plan.js'
import type { Metrics } from './metrics.js'
import type { ServedModel } from './served-model.js'

/**
 * Longest time that a stream's headers wait for the request to prove good. Until then an error has its own status; a queue
 * may be longer than proxies and clients wait for headers.
 */
const MAX_HEADERS_DELAY_MS = 10_000

/** What surrounds the answers to one request. */
export interface AnsweringContext {
  readonly model: ServedModel
  readonly modelId: string
  readonly metrics: Metrics
  readonly route: string
  readonly ticket: Ticket
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal
}

/** The answers to one request in the making. */
export class Answering {
  readonly runs: readonly ChoiceRun[]
  readonly modelId: string
  readonly hasLogprobs: boolean
  private readonly startedAt = Date.now()
  private hasToken = false

  constructor(
    private readonly context: AnsweringContext,
    readonly plan: GenerationPlan,
  ) {
    this.modelId = context.modelId
    this.hasLogprobs = plan.numLogprobs !== undefined
    const hooks = { onBegin: context.ticket.begin, onFirstToken: () => this.takeFirstToken() }
    this.runs = Array.from(
      { length: plan.numChoices },
      (_, index) => new ChoiceRun(context.model, plan, index, hooks),
    )
    const { signal } = context
    signal.addEventListener('abort', () => this.stop(signal.reason), { once: true })
    if (signal.aborted) this.stop(signal.reason)
  }

  /** Answer with one object. */
  async respond(render: ApiCall['render']): Promise<Response> {
    try {
      return Response.json(await render(this))
    } catch (error) {
      this.stop(error)
      throw error
    } finally {
      await this.end()
    }
  }

  /**
   * Answer with events. What goes wrong before the first of them is thrown; later it is the last event.
   *
   * @param onEnd - the stream is over, or the client has left it, and nothing is computed any more
   */
  async stream(
    { write, errorEvent }: Pick<ApiCall, 'write' | 'errorEvent'>,
    onEnd: (error: ApiError | undefined) => void,
  ): Promise<Response> {
    const begun = Promise.all(this.runs.map(run => run.begin()))
    begun.catch(() => {})
    try {
      await Promise.race([begun, delay(MAX_HEADERS_DELAY_MS)])
    } catch (error) {
      this.stop(error)
      await this.end()
      throw error
    }
    const produce = async (writer: EventWriter) => {
      let failure: ApiError | undefined
      try {
        await write(this, writer)
      } catch (error) {
        this.stop(error)
        failure = toApiError(error)
        await writer.write(...errorEvent(failure))
      } finally {
        await this.end()
        onEnd(failure)
      }
    }
    return eventStream(produce, () => this.stop(new DOMException('the client went away', 'AbortError')))
  }

  /** Stop the compute. */
  stop(reason: unknown): void {
    for (const run of this.runs) run.stop(reason)
  }

  private takeFirstToken(): void {
    if (this.hasToken) return
    this.hasToken = true
    this.context.metrics.countFirstToken(this.context.route, (Date.now() - this.startedAt) / 1000)
  }

  /** Wait until nothing is computed any more, and count the tokens. */
  private async end(): Promise<void> {
    for (const run of this.runs) {
      const usage = await run.ended()
      if (usage) this.context.metrics.countTokens(usage)
    }
  }
}

function delay(ms: number): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, ms)
    // a program that waits for nothing else may end
    if (typeof timer === 'object') (timer as { unref?: () => void }).unref?.()
  })
}

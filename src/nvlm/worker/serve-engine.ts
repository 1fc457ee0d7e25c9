import { Engine, type EngineOptions } from '../engine.js'
import type { EngineEvent } from '../engine-client.js'
import type { EngineStages } from '../engine-stages.js'
import type { LoadHooks } from '../load-engine.js'
import type { HostPort } from './engine-port.js'
import { type EngineAnswer, encodeError, type HostMessage } from './protocol.js'

/** What the worker's entry brings. */
export interface ServeOptions extends EngineOptions {
  readonly load: (hooks: LoadHooks) => Promise<EngineStages>
}

/**
 * Load a model and run what comes through `port`, until told to dispose.
 *
 * The port is closed at the end and nothing else is kept, so that the thread can end by itself.
 */
export async function serveEngine(port: HostPort, { load, ...options }: ServeOptions): Promise<void> {
  const loading = new AbortController()
  const stopListening = port.listen(message => {
    if (message.type === 'dispose') loading.abort()
  })
  const hooks: LoadHooks = {
    signal: loading.signal,
    onProgress: progress => port.post({ type: 'progress', progress }),
    onWarning: message => port.post({ type: 'warning', message }),
  }
  try {
    const stages = await load(hooks)
    const engine = new Engine(stages, options)
    stopListening()
    if (loading.signal.aborted) {
      await engine.dispose()
      port.close()
    } else new EngineServer(port, engine).start()
  } catch (error) {
    port.post({ type: 'failed', error: encodeError(error) })
    port.close()
  }
}

/** The engine behind a port. */
class EngineServer {
  private readonly controllers = new Map<number, AbortController>()
  private readonly answers = new Set<Promise<void>>()

  constructor(
    private readonly port: HostPort,
    private readonly engine: Engine,
  ) {}

  start(): void {
    this.port.listen(message => this.take(message))
    this.port.post({ type: 'ready', info: this.engine.info })
  }

  private take(message: HostMessage): void {
    if (message.type === 'dispose') void this.close()
    else if (message.type === 'abort') this.controllers.get(message.id)?.abort()
    else if (message.type === 'release-image') this.engine.releaseImage(message.imageId)
    else {
      const { id } = message
      const controller = new AbortController()
      this.controllers.set(id, controller)
      this.answer(id, () => this.begin(message, controller.signal))
    }
  }

  private begin(
    message: Extract<HostMessage, { type: 'run' | 'call' }>,
    signal: AbortSignal,
  ): Promise<EngineAnswer> {
    if (message.type === 'run') {
      const { id, request } = message
      return this.engine.run(request, {
        signal,
        onEvent: (event: EngineEvent) => this.port.post({ type: 'event', id, event }),
      })
    }
    switch (message.name) {
      case 'countTokens':
        return this.engine.countTokens(message.request)
      case 'prepareImage':
        return this.engine.prepareImage(message.request, signal)
      case 'embedImages':
        return this.engine.embedImages(message.request, signal)
    }
  }

  private answer(id: number, work: () => Promise<EngineAnswer>): void {
    const answer = work()
      .then(
        value => this.port.post({ type: 'done', id, value }),
        error => this.port.post({ type: 'error', id, error: encodeError(error) }),
      )
      .finally(() => {
        this.controllers.delete(id)
        this.answers.delete(answer)
      })
    this.answers.add(answer)
  }

  private async close(): Promise<void> {
    await this.engine.dispose()
    await Promise.all(this.answers)
    this.port.close()
  }
}

import type { Backend, Device, GraphSource, Session } from '../backend/backend.js'
import { SerialRuns } from '../backend/serial-runs.js'
import { NVLMError } from '../core/errors.js'
import type { GraphName } from '../prepare/graph-names.js'
import type { ModelInfo } from './stages.js'

/** How the sessions of a model are made. */
export interface PartSessionOptions {
  readonly device: Device
  /** Was the device asked for? Then a part that does not load there is an error. */
  readonly isBound: boolean
  readonly numThreads?: number | undefined
  readonly onWarning?: ((message: string) => void) | undefined
}

/** The sessions of a model, which take turns, and where each of them runs. */
export class PartSessions {
  readonly loaded: Partial<Record<GraphName, Session>> = {}
  private readonly places: Partial<Record<GraphName, Device>> = {}
  private readonly turns = new SerialRuns()
  private device: Device

  constructor(
    private readonly backend: Backend,
    private readonly options: PartSessionOptions,
  ) {
    this.device = options.device
  }

  /** Where each part runs; a part that the model lacks, where it would. */
  get devices(): ModelInfo['device'] {
    const { vision = this.device, projector = this.device, decoder = this.device } = this.places
    return { vision, projector, decoder }
  }

  /**
   * Load a part. If it fails on an accelerator that nobody asked for, it runs on the processor, and so do the parts
   * that follow.
   *
   * @throws {NVLMError} BACKEND_UNAVAILABLE, BACKEND_FAILED
   */
  async load(part: GraphName, graph: GraphSource): Promise<void> {
    const session = await this.createSession(part, graph)
    this.loaded[part] = this.turns.wrap(session)
    this.places[part] = this.device
  }

  async dispose(): Promise<void> {
    for (const session of Object.values(this.loaded)) await session.dispose()
  }

  private async createSession(part: GraphName, graph: GraphSource): Promise<Session> {
    const { numThreads, isBound, onWarning } = this.options
    for (;;) {
      try {
        return await this.backend.createSession(graph, { device: this.device, numThreads })
      } catch (error) {
        const processor = this.backend.devices.find(device => device === 'cpu' || device === 'wasm')
        const mayFallBack = !isBound && NVLMError.isInstance(error) && error.code === 'BACKEND_FAILED'
        if (!mayFallBack || processor === undefined || processor === this.device) throw error
        onWarning?.(`${part} does not load on ${this.device} and runs on ${processor}: ${error.message}`)
        this.device = processor
      }
    }
  }
}

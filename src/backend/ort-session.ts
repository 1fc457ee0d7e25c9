import { NVLMError } from '../core/errors.js'
import type { BackendTensor, Session } from './backend.js'

/** The part of a tensor of ONNX Runtime's JavaScript API that is used; the same in Node and browsers. */
export interface OrtTensor {
  readonly type: string
  readonly data: unknown
  readonly dims: readonly number[]
}

/** The part of ONNX Runtime's session that is used. */
export interface OrtInferenceSession {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  run(feeds: Readonly<Record<string, never>>): Promise<Readonly<Record<string, OrtTensor>>>
  release(): Promise<void>
}

/** Makes a tensor of the engine's own class. */
export type ToOrtTensor = (tensor: BackendTensor) => OrtTensor

/** A session of ONNX Runtime, whichever build it is of. */
export class OrtSession implements Session {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  private isDisposed = false

  /** @param name - of the graph, for messages */
  constructor(
    private readonly session: OrtInferenceSession,
    private readonly toTensor: ToOrtTensor,
    private readonly name: string,
  ) {
    this.inputNames = session.inputNames
    this.outputNames = session.outputNames
  }

  async run(feeds: Readonly<Record<string, BackendTensor>>): Promise<Record<string, BackendTensor>> {
    if (this.isDisposed) throw new NVLMError('DISPOSED', `the ${this.name} session is disposed`)
    const tensors: Record<string, OrtTensor> = {}
    try {
      for (const name in feeds) tensors[name] = this.toTensor(feeds[name]!)
      const outputs = await this.session.run(tensors as Record<string, never>)
      const results: Record<string, BackendTensor> = {}
      for (const name in outputs) results[name] = fromTensor(outputs[name]!)
      return results
    } catch (cause) {
      throw new NVLMError('BACKEND_FAILED', `the ${this.name} graph failed: ${messageOf(cause)}`, { cause })
    }
  }

  async dispose(): Promise<void> {
    if (this.isDisposed) return
    this.isDisposed = true
    await this.session.release()
  }
}

/** A graph that the engine refuses. */
export function graphDoesNotLoad(name: string, cause: unknown): NVLMError {
  return new NVLMError('BACKEND_FAILED', `the ${name} graph does not load: ${messageOf(cause)}`, {
    hint: 'If the weight files changed or moved since the model was prepared, prepare it again.',
    cause,
  })
}

function fromTensor({ type, data, dims }: OrtTensor): BackendTensor {
  return { type: type as BackendTensor['type'], data: data as BackendTensor['data'], dims }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

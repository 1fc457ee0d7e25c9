import { NVLMError } from '../core/errors.js'
import type { BackendTensor, Session, SessionTensor } from './backend.js'
import type { DeviceMemory } from './device-memory.js'

/** The part of a tensor of ONNX Runtime's JavaScript API that is used; the same in Node and browsers. */
export interface OrtTensor {
  readonly type: string
  readonly data: unknown
  readonly dims: readonly number[]
  /** `cpu` means host memory; other places are known to builds that have them. */
  readonly location?: string | undefined
}

/** The part of ONNX Runtime's session that is used. */
export interface OrtInferenceSession {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  run(feeds: Readonly<Record<string, never>>): Promise<Readonly<Record<string, OrtTensor>>>
  release(): Promise<void>
}

/** Ways between our tensors and those of the engine's own class. */
export interface OrtTensors {
  to(tensor: SessionTensor): OrtTensor
  /** Default: the tensor is in host memory. */
  from?(tensor: OrtTensor): SessionTensor
  /** Called before the session ends. */
  releaseAll?(): void
}

/** A session of ONNX Runtime, whichever build it is of. */
export class OrtSession implements Session {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  private isDisposed = false

  /** @param name - of the graph, for messages */
  constructor(
    private readonly session: OrtInferenceSession,
    private readonly tensors: OrtTensors,
    private readonly name: string,
    readonly memory?: DeviceMemory | undefined,
  ) {
    this.inputNames = session.inputNames
    this.outputNames = session.outputNames
  }

  async run(feeds: Readonly<Record<string, SessionTensor>>): Promise<Record<string, SessionTensor>> {
    if (this.isDisposed) throw new NVLMError('DISPOSED', `the ${this.name} session is disposed`)
    const tensors: Record<string, OrtTensor> = {}
    try {
      for (const name in feeds) tensors[name] = this.tensors.to(feeds[name]!)
      const outputs = await this.session.run(tensors as Record<string, never>)
      const results: Record<string, SessionTensor> = {}
      for (const name in outputs)
        results[name] = this.tensors.from?.(outputs[name]!) ?? fromHostTensor(outputs[name]!)
      return results
    } catch (cause) {
      throw new NVLMError('BACKEND_FAILED', `the ${this.name} graph failed: ${messageOf(cause)}`, { cause })
    }
  }

  async dispose(): Promise<void> {
    if (this.isDisposed) return
    this.isDisposed = true
    this.tensors.releaseAll?.()
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

/** A tensor in host memory as one of ours. */
export function fromHostTensor({ type, data, dims }: OrtTensor): BackendTensor {
  return { type: type as BackendTensor['type'], data: data as BackendTensor['data'], dims }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

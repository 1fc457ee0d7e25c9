import type { SessionTensor, TensorType } from '../backend.js'
import { fromHostTensor, type OrtTensor, type OrtTensors } from '../ort-session.js'
import type { SerialRuns } from '../serial-runs.js'
import { type GpuData, isGpuData } from './gpu-memory.js'
import type { OrtGpuTensor, OrtModule } from './ort-module.js'

/**
 * Tensors of a session that leaves some of its outputs in buffers of the graphics card.
 *
 * The engine owns those buffers, and gives them to later runs once they are released.
 */
export class GpuTensors implements OrtTensors {
  private readonly kept = new Set<OrtGpuTensor>()

  /** @param turns - of all calls into this build of the engine */
  constructor(
    private readonly ort: OrtModule,
    private readonly turns: SerialRuns,
  ) {}

  to({ type, data, dims }: SessionTensor): OrtTensor {
    if (isGpuData(data)) return this.ort.Tensor.fromGpuBuffer(data.buffer, { dataType: type, dims })
    return new this.ort.Tensor(type as never, data as never, dims)
  }

  from(tensor: OrtTensor): SessionTensor {
    if (tensor.location !== 'gpu-buffer') return fromHostTensor(tensor)
    const kept = tensor as OrtGpuTensor
    this.kept.add(kept)
    const data: GpuData = {
      buffer: kept.gpuBuffer,
      release: () => {
        this.turns.take(async () => this.release(kept))
      },
    }
    return { type: kept.type as TensorType, data, dims: kept.dims }
  }

  /** Release what nobody has released; to be called before the session ends. */
  releaseAll(): void {
    for (const tensor of this.kept) this.release(tensor)
  }

  private release(tensor: OrtGpuTensor): void {
    if (this.kept.delete(tensor)) tensor.dispose()
  }
}

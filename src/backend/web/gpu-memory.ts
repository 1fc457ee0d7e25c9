import type { GpuBuffer, GpuDevice } from '../../platform/web/browser.js'
import type { DeviceData, DeviceMemory, Floats } from '../device-memory.js'

const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT

/** GPUBufferUsage: COPY_SRC, COPY_DST, STORAGE. */
const USAGE = 0x4 | 0x8 | 0x80

/** Values in a buffer of a graphics card. */
export interface GpuData extends DeviceData {
  readonly buffer: GpuBuffer
}

/** Is it in a buffer of a graphics card? */
export function isGpuData(data: object): data is GpuData {
  return 'release' in data
}

/** Memory of a graphics card. */
export class GpuMemory implements DeviceMemory {
  /** The engine binds buffers from their beginning. */
  readonly hasViews = false
  private failure: string | undefined

  constructor(private readonly device: GpuDevice) {}

  /** Why memory that was asked for is not there; undefined as long as it is. Known once a later run has ended. */
  get missing(): string | undefined {
    return this.failure
  }

  allocate(length: number): GpuData {
    const size = length * FLOAT_BYTES
    // a buffer that does not fit is given like any other, and reads as zeros
    this.device.pushErrorScope('out-of-memory')
    const buffer = this.device.createBuffer({ size, usage: USAGE })
    this.device.popErrorScope().then(
      error => {
        if (error) this.failure = `no room for ${size} bytes on the graphics device: ${error.message}`
      },
      // of a device that is lost
      () => {},
    )
    return { buffer, release: () => buffer.destroy() }
  }

  view(block: Floats): GpuData {
    return block as GpuData
  }

  copy(copies: Parameters<DeviceMemory['copy']>[0]): void {
    const commands = this.device.createCommandEncoder()
    for (const { from, fromStart, to, toStart, length } of copies) {
      const [source, target] = [from as GpuData, to as GpuData]
      commands.copyBufferToBuffer(
        source.buffer,
        fromStart * FLOAT_BYTES,
        target.buffer,
        toStart * FLOAT_BYTES,
        length * FLOAT_BYTES,
      )
    }
    this.device.queue.submit([commands.finish()])
  }

  release(block: Floats): void {
    ;(block as GpuData).release()
  }
}

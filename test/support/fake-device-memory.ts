import type { DeviceMemory, FloatCopy, Floats } from '../../src/backend/device-memory.js'
import { hostMemory } from '../../src/backend/device-memory.js'

/** Memory of a device that is none: only its own calls see the values, and what was released is gone. */
export class FakeDeviceMemory implements DeviceMemory {
  readonly hasViews = false
  private readonly blocks = new Map<Floats, Float32Array>()

  /** Blocks that are not released. */
  get numBlocks(): number {
    return this.blocks.size
  }

  /** Values of a block, for tests. */
  read(block: Floats): Float32Array {
    const values = this.blocks.get(block)
    if (values === undefined) throw new Error('released, or of another memory')
    return values
  }

  allocate(length: number): Floats {
    const block = { release: () => this.release(block) }
    this.blocks.set(block, new Float32Array(length))
    return block
  }

  view(block: Floats, start: number): Floats {
    if (start !== 0) throw new Error(`tensors begin with their block, not at ${start}`)
    this.read(block)
    return block
  }

  copy(copies: readonly FloatCopy[]): void {
    const inHost = copies.map(copy => ({ ...copy, from: this.read(copy.from), to: this.read(copy.to) }))
    hostMemory.copy(inHost)
  }

  release(block: Floats): void {
    if (!this.blocks.delete(block)) throw new Error('released before')
  }

  /** A block with these values, as the device would leave an output. */
  put(values: Float32Array): Floats {
    const block = this.allocate(values.length)
    this.read(block).set(values)
    return block
  }
}

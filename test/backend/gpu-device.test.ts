import { describe, expect, test } from 'vitest'
import { isSoftware, openDevice } from '../../src/backend/web/gpu-device.js'
import { GpuMemory } from '../../src/backend/web/gpu-memory.js'
import type { GpuAdapter, GpuBuffer, GpuDevice } from '../../src/platform/web/browser.js'

/** A device that notes what it is told; buffers beyond `room` bytes do not fit. */
class FakeDevice implements GpuDevice {
  readonly log: string[] = []
  readonly lost = new Promise<never>(() => {})
  readonly queue = { submit: (commands: readonly object[]) => this.log.push(`submit ${commands.length}`) }
  private fits = true

  constructor(private readonly room: number) {}

  createBuffer({ size }: { readonly size: number }): GpuBuffer {
    this.fits = size <= this.room
    return { size, destroy: () => this.log.push(`destroy ${size}`) }
  }

  createCommandEncoder() {
    return {
      copyBufferToBuffer: (_: GpuBuffer, from: number, __: GpuBuffer, to: number, length: number) =>
        this.log.push(`copy ${length} from ${from} to ${to}`),
      finish: () => ({}),
    }
  }

  pushErrorScope(): void {}

  async popErrorScope() {
    return this.fits ? null : { message: 'too large' }
  }

  destroy(): void {}
}

function adapterWith(subgroupMinSize: number | undefined, features: readonly string[]) {
  const asked: { requiredFeatures: readonly string[]; requiredLimits: object }[] = []
  const adapter: GpuAdapter = {
    info: { ...(subgroupMinSize !== undefined && { subgroupMinSize }) },
    features: new Set(features),
    limits: { maxBufferSize: 1000 },
    async requestDevice(options) {
      asked.push(options)
      return new FakeDevice(1000)
    },
  }
  return { adapter, asked }
}

describe('a device is opened', () => {
  test.each([
    [4, ['shader-f16']],
    [undefined, ['shader-f16']],
    [8, ['shader-f16', 'subgroups']],
    [32, ['shader-f16', 'subgroups']],
  ])('on an adapter whose smallest subgroup is %s with %j', async (size, expected) => {
    const { adapter, asked } = adapterWith(size, ['shader-f16', 'subgroups', 'depth-clip-control'])
    await openDevice(adapter)
    expect(asked).toEqual([{ requiredFeatures: expected, requiredLimits: { maxBufferSize: 1000 } }])
  })

  test('by hand only where a processor plays the graphics card', () => {
    const named = (info: object): GpuAdapter => ({ ...adapterWith(4, []).adapter, info })
    expect(isSoftware(named({ architecture: 'swiftshader' }))).toBe(true)
    expect(isSoftware(named({ isFallbackAdapter: true }))).toBe(true)
    expect(isSoftware(named({ vendor: 'nvidia', architecture: 'hopper' }))).toBe(false)
  })
})

describe('memory of a graphics device', () => {
  test('is copied in bytes, all in one go', () => {
    const device = new FakeDevice(1000)
    const memory = new GpuMemory(device)
    const [from, to] = [memory.allocate(10), memory.allocate(20)]
    memory.copy([
      { from, fromStart: 2, to, toStart: 8, length: 3 },
      { from, fromStart: 0, to, toStart: 0, length: 1 },
    ])
    memory.release(from)
    expect(device.log).toEqual(['copy 12 from 8 to 32', 'copy 4 from 0 to 0', 'submit 1', 'destroy 40'])
  })

  test('that was not given is known', async () => {
    const memory = new GpuMemory(new FakeDevice(100))
    memory.allocate(25)
    await Promise.resolve()
    expect(memory.missing).toBeUndefined()
    memory.allocate(26)
    await new Promise(resolve => setImmediate(resolve))
    expect(memory.missing).toMatch(/104 bytes.*too large/)
  })
})

import { browser, type GpuDevice } from '../../../src/platform/web/browser.js'

/** GPUBufferUsage.MAP_READ. */
const MAP_READ = 1

/** Graphics devices that were opened in this thread. */
export interface WatchedDevices {
  /** Bytes that went from this thread to a device or came back. */
  readonly bytesMoved: number
  destroyAll(): void
}

/** The calls of a device that move bytes. */
interface MovingDevice extends GpuDevice {
  createBuffer(options: { size: number; usage: number; mappedAtCreation?: boolean }): {
    readonly size: number
    destroy(): void
    mapAsync(...args: readonly unknown[]): Promise<void>
  }
  readonly queue: {
    submit(commands: readonly object[]): void
    writeBuffer(...args: readonly unknown[]): void
  }
}

/** Watch the devices that are opened from now on. */
export function watchDevices(): WatchedDevices {
  const opened: GpuDevice[] = []
  const watched = {
    bytesMoved: 0,
    destroyAll() {
      for (const device of opened) device.destroy()
    },
  }
  const { gpu } = browser.navigator
  if (gpu === undefined) return watched
  const requestAdapter = gpu.requestAdapter.bind(gpu)
  gpu.requestAdapter = async options => {
    const adapter = await requestAdapter(options)
    const requestDevice = adapter?.requestDevice.bind(adapter)
    if (adapter && requestDevice) {
      adapter.requestDevice = async wanted => {
        const device = await requestDevice(wanted)
        opened.push(device)
        countBytes(device as MovingDevice, numBytes => {
          watched.bytesMoved += numBytes
        })
        return device
      }
    }
    return adapter
  }
  return watched
}

function countBytes(device: MovingDevice, count: (numBytes: number) => void): void {
  const createBuffer = device.createBuffer.bind(device)
  device.createBuffer = options => {
    const buffer = createBuffer(options)
    if (options.mappedAtCreation) count(options.size)
    if (options.usage & MAP_READ) {
      const mapAsync = buffer.mapAsync.bind(buffer)
      buffer.mapAsync = (...args) => {
        count(buffer.size)
        return mapAsync(...args)
      }
    }
    return buffer
  }
  const writeBuffer = device.queue.writeBuffer.bind(device.queue)
  device.queue.writeBuffer = (...args) => {
    const [, , data, , size] = args as readonly [unknown, unknown, ArrayBuffer, unknown, number?]
    count(size ?? data.byteLength)
    writeBuffer(...args)
  }
}

import { NVLMError } from '../../core/errors.js'
import type { GpuDevice } from '../../platform/web/browser.js'
import type { Backend, Device, GraphSource, Session, SessionOptions } from '../backend.js'
import { graphDoesNotLoad, OrtSession } from '../ort-session.js'
import { SerialRuns } from '../serial-runs.js'
import { canReadOnDemand, FileOnDemand } from './file-on-demand.js'
import { GpuMemory } from './gpu-memory.js'
import { GpuTensors } from './gpu-tensors.js'
import type { OrtModule } from './ort-module.js'
import { watchDevice } from './watch-device.js'

/** A file that a graph names as the place of weights. */
export interface DataFile {
  /** As the graph spells it. */
  readonly path: string
  readonly data: Blob
}

/** A graph with its weights at hand. */
export interface LocatedGraph {
  readonly model: Uint8Array
  readonly data: readonly DataFile[]
}

/** What a backend in the browser is made of. */
export interface WebBackendParts {
  /** A graphics device and the build that computes on it. Absent: WASM only. */
  readonly gpu?: { readonly ort: OrtModule; readonly device: GpuDevice } | undefined
  /** Fetches the build for WASM. Those for WebGPU have WASM too, but not for all types: bfloat16 is missing (1.30.0). */
  readonly loadWasm: () => Promise<OrtModule>
  /** Finds the weights of a graph, in a form that the device takes. */
  readonly locate: (graph: GraphSource, device: Device) => Promise<LocatedGraph>
}

/** One call at a time in this thread: a build of the engine has one heap and one stack, whatever the number of sessions. */
const turns = new SerialRuns()

/** ONNX Runtime's build for browsers. Sessions on WASM compute in the calling thread. */
export function createWebBackend({ gpu, loadWasm, locate }: WebBackendParts): Backend {
  const devices: readonly Device[] = gpu ? ['webgpu', 'wasm'] : ['wasm']
  const gpuMemory = gpu && new GpuMemory(gpu.device)
  let wasm: Promise<OrtModule> | undefined
  const builds: Partial<Record<Device, () => Promise<OrtModule>>> = {
    ...(gpu && { webgpu: async () => gpu.ort }),
    wasm: () => {
      wasm ??= loadWasm()
      return wasm
    },
  }
  const create = async (graph: GraphSource, device: Device): Promise<Session> => {
    const ort = await builds[device]!()
    const residentOutputs = device === 'webgpu' ? (graph.residentOutputs ?? []) : []
    const { model, data } = await locate(graph, device)
    const isRead = !ort.readsPieces && canReadOnDemand()
    try {
      const session = await ort.InferenceSession.create(model, {
        executionProviders: device === 'webgpu' ? [{ name: 'webgpu', device: gpu?.device }] : ['wasm'],
        graphOptimizationLevel: 'all',
        // as in Node: here the past has another shape at every step
        enableMemPattern: false,
        // the console is the application's; what goes wrong comes as an error anyway
        logSeverityLevel: 4,
        externalData: isRead ? data.map(({ path, data }) => ({ path, data: new FileOnDemand(data) })) : data,
        ...(residentOutputs.length > 0 && {
          preferredOutputLocation: Object.fromEntries(residentOutputs.map(name => [name, 'gpu-buffer'])),
        }),
      })
      const memory = residentOutputs.length > 0 ? gpuMemory : undefined
      return new OrtSession(session, new GpuTensors(ort, turns), graph.name, memory)
    } catch (cause) {
      if (NVLMError.isInstance(cause)) throw cause
      throw graphDoesNotLoad(graph.name, cause)
    }
  }
  return {
    name: 'onnxruntime-web',
    devices,
    async createSession(graph: GraphSource, { device }: SessionOptions): Promise<Session> {
      if (!devices.includes(device)) {
        throw new NVLMError(
          'BACKEND_UNAVAILABLE',
          `device "${device}" is not available in onnxruntime-web here; available: ${devices.join(', ')}`,
          { hint: 'Leave the device out to use the best that there is.' },
        )
      }
      const session = turns.wrap(await turns.take(() => create(graph, device)))
      return gpuMemory && device === 'webgpu' ? watchDevice(session, gpu!.device, gpuMemory) : session
    },
  }
}

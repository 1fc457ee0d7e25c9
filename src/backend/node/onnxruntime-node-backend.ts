import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node'
import { NVLMError } from '../../core/errors.js'
import type { Backend, BackendTensor, Device, GraphSource, Session, SessionOptions } from '../backend.js'
import { graphDoesNotLoad, OrtSession } from '../ort-session.js'

const require = createRequire(import.meta.url)

/** Session setting that names the folder of the external data of a model given as bytes. */
const DATA_FOLDER_OPTION = 'model_external_initializers_file_folder_path'

/** ONNX Runtime's native build for Node. `run` blocks the calling thread while the graph runs. */
export const onnxruntimeNodeBackend: Backend = {
  name: 'onnxruntime-node',
  devices: availableDevices(),
  createSession,
}

/** Devices whose libraries are here: those in the package, and CUDA once its libraries lie beside them. */
function availableDevices(): readonly Device[] {
  const known: readonly Device[] = ['cpu', 'webgpu', 'cuda', 'dml', 'coreml']
  const bundled = new Set(listSupportedBackends().flatMap(({ name, bundled }) => (bundled ? [name] : [])))
  return known.filter(device => bundled.has(device) || (device === 'cuda' && hasCudaLibrary()))
}

/** Did the install script of onnxruntime-node put the CUDA provider where the engine looks for it? */
function hasCudaLibrary(): boolean {
  const folder = join(dirname(require.resolve('onnxruntime-node/package.json')), 'bin', 'napi-v6')
  const name =
    process.platform === 'win32' ? 'onnxruntime_providers_cuda.dll' : 'libonnxruntime_providers_cuda.so'
  return existsSync(join(folder, process.platform, process.arch, name))
}

async function createSession(graph: GraphSource, options: SessionOptions): Promise<Session> {
  if (!onnxruntimeNodeBackend.devices.includes(options.device)) {
    throw new NVLMError(
      'BACKEND_UNAVAILABLE',
      `device "${options.device}" is not available in onnxruntime-node here; available: ${onnxruntimeNodeBackend.devices.join(', ')}`,
      { hint: 'Use device "cpu", or see the README on how to install the libraries of another device.' },
    )
  }
  try {
    const session = await InferenceSession.create(graph.model, {
      executionProviders: [options.device],
      graphOptimizationLevel: 'all',
      // patterns are kept for each shape, and here the past has another one at every step; also, planning them takes a
      // block as large as all weights together, although the weights are mapped from their files
      enableMemPattern: false,
      // the engine writes to stderr, which is the application's; what goes wrong comes as an error anyway
      logSeverityLevel: 4,
      ...(options.numThreads === undefined ? {} : { intraOpNumThreads: options.numThreads }),
      extra: { session: { [DATA_FOLDER_OPTION]: graph.dataFolder } },
    })
    return new OrtSession(session, { to: toTensor }, graph.name)
  } catch (cause) {
    throw graphDoesNotLoad(graph.name, cause)
  }
}

function toTensor({ type, data, dims }: BackendTensor): Tensor {
  return new Tensor(type, data as Tensor['data'] as Float32Array, dims)
}

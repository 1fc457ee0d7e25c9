import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node'
import { NVLMError } from '../../core/errors.js'
import type { Backend, BackendTensor, Device, GraphSource, Session, SessionOptions } from '../backend.js'

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
    return new NodeSession(session, graph.name)
  } catch (cause) {
    throw new NVLMError('BACKEND_FAILED', `the ${graph.name} graph does not load: ${messageOf(cause)}`, {
      hint: 'If the weight files changed or moved since the model was prepared, prepare it again.',
      cause,
    })
  }
}

class NodeSession implements Session {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  private isDisposed = false

  constructor(
    private readonly session: InferenceSession,
    private readonly name: string,
  ) {
    this.inputNames = session.inputNames
    this.outputNames = session.outputNames
  }

  async run(feeds: Readonly<Record<string, BackendTensor>>): Promise<Record<string, BackendTensor>> {
    if (this.isDisposed) throw new NVLMError('DISPOSED', `the ${this.name} session is disposed`)
    const tensors: Record<string, Tensor> = {}
    for (const name in feeds) tensors[name] = toTensor(feeds[name]!)
    try {
      const outputs = await this.session.run(tensors)
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

function toTensor({ type, data, dims }: BackendTensor): Tensor {
  return new Tensor(type, data as Tensor['data'] as Float32Array, dims)
}

function fromTensor(tensor: Tensor): BackendTensor {
  return {
    type: tensor.type as BackendTensor['type'],
    data: tensor.data as BackendTensor['data'],
    dims: tensor.dims,
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

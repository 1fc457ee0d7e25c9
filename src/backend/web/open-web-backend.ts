import { NVLMError } from '../../core/errors.js'
import { browser, type GpuDevice } from '../../platform/web/browser.js'
import type { Backend, Device } from '../backend.js'
import { findAdapter, isSoftware, openDevice } from './gpu-device.js'
import { createWebBackend, type WebBackendParts } from './onnxruntime-web-backend.js'
import { loadOrt, type OrtBuild, type OrtModule } from './ort-module.js'
import { findDisagreement } from './self-check.js'

/** How the engine of a browser is chosen. */
export interface WebBackendOptions {
  readonly device?: 'auto' | Device | undefined
  readonly numThreads?: number | undefined
  /** See `WebSettings`. */
  readonly wasmPaths?: string | undefined
  readonly onWarning?: ((message: string) => void) | undefined
}

/**
 * Load the build of ONNX Runtime that the device needs: WebGPU when a real graphics adapter is there, else WASM.
 *
 * @throws {NVLMError} BACKEND_UNAVAILABLE if WebGPU was asked for and is not there, or the engine can't be fetched
 */
export async function openWebBackend(
  options: WebBackendOptions,
  locate: WebBackendParts['locate'],
): Promise<Backend> {
  const { device = 'auto', numThreads, wasmPaths, onWarning } = options
  const load: LoadBuild = async build => {
    const ort = await loadOrt(build)
    ort.env.logLevel = 'fatal'
    if (wasmPaths !== undefined) ort.env.wasm.wasmPaths = wasmPaths
    ort.env.wasm.numThreads = browser.crossOriginIsolated ? (numThreads ?? defaultThreads()) : 1
    return ort
  }
  const onWasm = createWebBackend({ loadWasm: () => load('wasm'), locate })
  if (device !== 'auto' && device !== 'webgpu') return onWasm
  const tried = await tryGpu(device === 'webgpu', load, locate)
  if (typeof tried !== 'string') return tried
  if (device === 'webgpu') {
    throw new NVLMError('BACKEND_UNAVAILABLE', `device "webgpu": ${tried}`, {
      hint: 'Leave the device out to use the best that there is, or use "wasm".',
    })
  }
  onWarning?.(`the model runs on WASM, which is slower, not on WebGPU: ${tried}`)
  return onWasm
}

type LoadBuild = (build: OrtBuild) => Promise<OrtModule>

/** A backend with WebGPU, or a sentence that says why there is none or it can't be trusted. */
async function tryGpu(
  mayBeSoftware: boolean,
  load: LoadBuild,
  locate: WebBackendParts['locate'],
): Promise<Backend | string> {
  const device = await openGpu(mayBeSoftware)
  if (typeof device === 'string') return device
  const ort = await load(gpuBuild())
  const backend = createWebBackend({ gpu: { ort, device }, loadWasm: () => load('wasm'), locate })
  // the same build has WASM too: no other is fetched for the check
  const trusted = createWebBackend({ loadWasm: async () => ort, locate })
  const disagreement = await findDisagreement(
    { backend, device: 'webgpu' },
    { backend: trusted, device: 'wasm' },
  )
  if (disagreement === undefined) return backend
  device.destroy()
  return disagreement
}

/** WebAssembly that waits for the graphics card: by the language's own means, or by rewritten code. */
function gpuBuild(): OrtBuild {
  return browser.WebAssembly.Suspending === undefined ? 'webgpu' : 'jspi'
}

/** As the engine's own choice: beyond a few threads they wait for memory. */
function defaultThreads(): number {
  return Math.min(4, Math.ceil(browser.navigator.hardwareConcurrency / 2))
}

/** The device, or a sentence that says why there is none. */
async function openGpu(mayBeSoftware: boolean): Promise<GpuDevice | string> {
  const adapter = await findAdapter()
  if (typeof adapter === 'string') return adapter
  if (!mayBeSoftware && isSoftware(adapter)) return 'the only WebGPU adapter is a software one'
  return openDevice(adapter)
}

import type { GpuBuffer } from '../../platform/web/browser.js'
import type { OrtInferenceSession, OrtTensor } from '../ort-session.js'

/** A build of onnxruntime-web. */
export type OrtBuild = 'wasm' | 'webgpu' | 'jspi'

/** A tensor of which some are in a buffer of a graphics card, with `location` `gpu-buffer`. */
export interface OrtGpuTensor extends OrtTensor {
  readonly gpuBuffer: GpuBuffer
  dispose(): void
}

/** The part of onnxruntime-web that is used. */
export interface OrtApi {
  readonly env: {
    logLevel?: string | undefined
    readonly wasm: { numThreads?: number; proxy?: boolean; wasmPaths?: unknown }
  }
  readonly InferenceSession: {
    create(model: Uint8Array, options: object): Promise<OrtInferenceSession>
  }
  readonly Tensor: {
    new (type: never, data: never, dims: readonly number[]): OrtTensor
    fromGpuBuffer(buffer: GpuBuffer, options: { dataType: string; dims: readonly number[] }): OrtGpuTensor
  }
}

/** A build that was fetched. */
export interface OrtModule extends OrtApi {
  /** Does it read files piece by piece while a session loads, or whole before? */
  readonly readsPieces: boolean
}

/** Each build is a file of its own, which is fetched when it is asked for. The `.` entry is JSEP, which is given up upstream. */
const BUILDS: Readonly<Record<OrtBuild, () => Promise<unknown>>> = {
  wasm: () => import('onnxruntime-web/wasm'),
  webgpu: () => import('onnxruntime-web/webgpu'),
  jspi: () => import('onnxruntime-web/jspi'),
}

/** Fetch a build. Its WebAssembly follows with the first session. */
export async function loadOrt(build: OrtBuild): Promise<OrtModule> {
  const { env, InferenceSession, Tensor } = (await BUILDS[build]()) as OrtApi
  return { env, InferenceSession, Tensor, readsPieces: build === 'jspi' }
}

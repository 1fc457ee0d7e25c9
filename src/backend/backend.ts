import type { DeviceData, DeviceMemory } from './device-memory.js'

/** Element types that cross the border between this library and an inference engine. */
export type TensorType = 'float32' | 'int64' | 'uint8' | 'int8' | 'int32'

/** Where a stage's session runs. */
export type Device = 'cpu' | 'cuda' | 'webgpu' | 'wasm' | 'dml' | 'coreml'

/** Dense tensor in C order, in host memory. */
export interface BackendTensor {
  readonly type: TensorType
  readonly data: Float32Array | BigInt64Array | Uint8Array | Int8Array | Int32Array
  readonly dims: readonly number[]
}

/** What goes into a session and comes out of it: in the memory of its device only where it has a `memory`. */
export type SessionTensor = Omit<BackendTensor, 'data'> & {
  readonly data: BackendTensor['data'] | DeviceData
}

/** A graph to run: the ONNX model's bytes, and the folder that its external data names are relative to. */
export interface GraphSource {
  readonly model: Uint8Array
  readonly dataFolder: string
  /** For messages only: `vision`, `projector`, `decoder`. */
  readonly name: string
  /** Outputs that only go back into the graph, so that a session may leave them in the memory of its device. */
  readonly residentOutputs?: readonly string[] | undefined
}

export interface SessionOptions {
  readonly device: Device
  /** Threads of one operator; undefined lets the engine choose. */
  readonly numThreads?: number | undefined
}

/** One loaded graph. `run` calls on one session must not overlap. */
export interface Session {
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  /** Does the engine fail on tensors without elements? Default false. */
  readonly refusesEmpty?: boolean | undefined
  /** Where the resident outputs lie; absent: they are in host memory like all others. */
  readonly memory?: DeviceMemory | undefined
  /**
   * Feed every input, get every output. Fed arrays must stay unchanged until the promise settles; arrays that come out are the
   * caller's.
   */
  run(feeds: Readonly<Record<string, SessionTensor>>): Promise<Record<string, SessionTensor>>
  /** Free the graph and its weights. A second call does nothing. */
  dispose(): Promise<void>
}

/** An inference engine that can run the graphs of this library. */
export interface Backend {
  readonly name: string
  /** Devices that this engine can be asked for on this machine. */
  readonly devices: readonly Device[]
  /** @throws {NVLMError} BACKEND_UNAVAILABLE if the device is not there, BACKEND_FAILED if the graph does not load */
  createSession(graph: GraphSource, options: SessionOptions): Promise<Session>
}

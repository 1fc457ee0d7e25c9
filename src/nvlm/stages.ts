import type { Device } from '../backend/backend.js'
import type { Decoder } from '../decoder/decoder.js'
import type { ImageTiler } from '../image/image-tiler.js'
import type { Fusion } from '../models/fusion.js'
import type { StageDtype, StageName } from '../prepare/stage-dtypes.js'
import type { Projector } from '../projector/projector.js'
import type { Tokenizer } from '../tokenizer/tokenizer.js'
import type { VisionEncoder } from '../vision/vision-encoder.js'

/** The stages that run as ONNX sessions. */
export type PartName = StageName

/** What a loaded model is and where it runs. */
export interface ModelInfo {
  /** Name on the hub, or of the model's folder; of a remote model the server's name for it. */
  readonly id: string
  /** Name of the model definition, such as `nvlm-d`; `remote` for a model on a server. */
  readonly family: string
  /** How pictures reach the language model; absent for a model that takes text only, and for a remote one. */
  readonly fusion?: Fusion | undefined
  /** Most tokens of prompt and answer together; `Infinity` if a server does not tell. */
  readonly contextLength: number
  /** How pictures are cut; absent for a model that takes text only, and for a remote one. */
  readonly tile?: { readonly size: number; readonly tokens: number; readonly max: number } | undefined
  readonly device: Readonly<Record<PartName, Device | 'remote'>>
  /** What the weights are stored as; `unknown` for a remote model. */
  readonly dtype: Readonly<Record<PartName, StageDtype | 'unknown'>>
  /** Size of the weight files in bytes; 0 for a remote model. */
  readonly bytes: number
}

/** The five layers of one loaded model, each usable alone. */
export interface Stages {
  readonly info: ModelInfo
  readonly tokenizer: Tokenizer
  /** @throws {NVLMError} UNSUPPORTED on access if the model takes text only */
  readonly tiler: ImageTiler
  /** @throws {NVLMError} UNSUPPORTED on access if the model takes text only */
  readonly visionEncoder: VisionEncoder
  /** @throws {NVLMError} UNSUPPORTED on access if the model takes text only */
  readonly projector: Projector
  readonly decoder: Decoder
  /** Free all sessions. A second call does nothing. */
  dispose(): Promise<void>
}

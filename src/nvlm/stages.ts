import type { Device } from '../backend/backend.js'
import type { Decoder } from '../decoder/decoder.js'
import type { ImageTiler } from '../image/image-tiler.js'
import type { Fusion } from '../models/fusion.js'
import type { StageDtypes, StageName } from '../prepare/stage-dtypes.js'
import type { Projector } from '../projector/projector.js'
import type { Tokenizer } from '../tokenizer/tokenizer.js'
import type { VisionEncoder } from '../vision/vision-encoder.js'

/** The stages that run as ONNX sessions. */
export type PartName = StageName

/** What a loaded model is and where it runs. */
export interface ModelInfo {
  /** Name on the hub, or of the model's folder. */
  readonly id: string
  /** Name of the model definition, such as `nvlm-d`. */
  readonly family: string
  /** How pictures reach the language model; absent for a model that takes text only. */
  readonly fusion?: Fusion | undefined
  /** Most tokens of prompt and answer together. */
  readonly contextLength: number
  /** How pictures are cut; absent for a model that takes text only. */
  readonly tile?: { readonly size: number; readonly tokens: number; readonly max: number } | undefined
  readonly device: Readonly<Record<PartName, Device>>
  /** What the weights are stored as. */
  readonly dtype: StageDtypes
  /** Size of the weight files in bytes. */
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

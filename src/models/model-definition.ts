import type { InternVitConfig } from '../graph/towers/intern-vit.js'
import type { MlpProjectorConfig } from '../graph/towers/mlp-projector.js'
import type { Qwen2DecoderConfig } from '../graph/towers/qwen2-decoder.js'
import type { PromptFormat } from '../tokenizer/prompt-format.js'

/** How pictures are cut for a model. */
export interface TilingConfig {
  /** Side of a tile in pixels. */
  readonly tileSize: number
  readonly minTiles: number
  readonly maxTiles: number
  readonly useThumbnail: boolean
}

/** The picture side of a model. */
export interface VisionConfig {
  readonly tower: InternVitConfig
  readonly projector: MlpProjectorConfig
  readonly tiling: TilingConfig
  readonly tokensPerTile: number
}

/** The text side of a model: the graph's own fields, and what the graph need not know. */
export interface DecoderConfig extends Qwen2DecoderConfig {
  readonly ropeTheta: number
  readonly maxPositionEmbeddings: number
}

/** What a config.json says, in the words of this library. */
export interface ModelConfig {
  /** Name of the definition that it was read with. */
  readonly family: string
  readonly decoder: DecoderConfig
  /** Absent for a model that takes text only. */
  readonly vision?: VisionConfig | undefined
  /** What the tensor names of each part begin with. */
  readonly weightPrefixes: { readonly vision: string; readonly projector: string; readonly decoder: string }
  readonly promptFormat: PromptFormat
}

/** A model family: which checkpoints it answers to and how their config.json is read. */
export interface ModelDefinition {
  readonly family: string
  /** Values of `model_type` in config.json. */
  readonly modelTypes: readonly string[]
  /**
   * Read the settings.
   *
   * @param config - config.json as parsed
   * @param source - path for messages
   * @throws {NVLMError} MODEL_INVALID or MODEL_UNSUPPORTED naming the field
   */
  parseConfig(config: unknown, source: string): ModelConfig
}

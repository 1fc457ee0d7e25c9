import type { RopeScaling } from '../decoder/rope.js'
import type { InternVitConfig, InternVitNames } from '../graph/towers/intern-vit.js'
import type { LlamaDecoderConfig, LlamaNames } from '../graph/towers/llama-config.js'
import type { MlpProjectorConfig, MlpProjectorNames } from '../graph/towers/mlp-projector.js'
import type { PromptFormat } from '../tokenizer/prompt-format.js'
import type { TokenizerOptions } from '../tokenizer/tokenizer.js'
import type { Fusion } from './fusion.js'
import type { PackedSettings } from './quantization.js'

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
  readonly fusion: Fusion
  readonly tower: InternVitConfig
  readonly projector: MlpProjectorConfig
  readonly tiling: TilingConfig
  readonly tokensPerTile: number
}

/** The text side of a model: the graph's own fields, and what the graph need not know. */
export interface DecoderConfig extends LlamaDecoderConfig {
  readonly ropeTheta: number
  readonly ropeScaling: RopeScaling | undefined
  readonly maxPositionEmbeddings: number
}

/** What the tensors of a checkpoint are called. */
export interface WeightNames {
  /** Absent, as the projector, for a model that takes text only. */
  readonly vision?: InternVitNames | undefined
  readonly projector?: MlpProjectorNames | undefined
  readonly decoder: LlamaNames
}

/** Where a language model lies in a checkpoint. */
export interface DecoderModules {
  /** Module of the embeddings and layers, such as `language_model.model`. */
  readonly model: string
  /** What the name of the output layer begins with, such as `language_model.`. */
  readonly head: string
}

/** A kind of language model, which several families build on. */
export interface LanguageModel {
  /** Its class in `architectures`. */
  readonly architecture: string
  /** Its `model_type` in transformers. */
  readonly modelType: string
  /** @throws {NVLMError} MODEL_INVALID or MODEL_UNSUPPORTED naming the field */
  parseConfig(config: unknown, source: string): DecoderConfig
  names(modules: DecoderModules): LlamaNames
}

/** What a config.json says, in the words of this library. */
export interface ModelConfig {
  /** Name of the definition that it was read with. */
  readonly family: string
  readonly decoder: DecoderConfig
  /** Absent for a model that takes text only. */
  readonly vision?: VisionConfig | undefined
  /** The ways in which its tensors may be called; that one counts whose embedding table the checkpoint has. */
  readonly weightNames: readonly WeightNames[]
  readonly promptFormat: PromptFormat
  /** How its matrices were quantised before it was published; undefined for floats. */
  readonly packed?: PackedSettings | undefined
  /** In what its tokenizer differs from the default. */
  readonly tokenizer?: Pick<TokenizerOptions, 'skipHashMerges'> | undefined
}

/** A model family: which checkpoints it answers to and how their config.json is read. */
export interface ModelDefinition {
  readonly family: string
  /** Values of `model_type` in config.json. */
  readonly modelTypes: readonly string[]
  /**
   * Read the settings.
   *
   * @throws {NVLMError} MODEL_INVALID or MODEL_UNSUPPORTED naming the field
   */
  parseConfig(files: ConfigFiles): ModelConfig
}

/** The setting files of a checkpoint, as parsed. */
export interface ConfigFiles {
  /** config.json */
  readonly config: unknown
  /** preprocessor_config.json, if there is one. */
  readonly preprocessor?: unknown
  /** Path of config.json, for messages. */
  readonly source: string
}

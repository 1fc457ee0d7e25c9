import type { EmbeddingPlace } from '../decoder/embedding-table.js'
import type { ModelConfig } from '../models/model-definition.js'

/** Everything that is needed to run a model, whether it was prepared before or is built now. */
export interface RunnableModel {
  /** Folder with config.json and the tokenizer files. */
  readonly folder: string
  readonly config: ModelConfig
  /** ONNX files in memory; vision and projector are absent for a model that takes text only. */
  readonly graphs: {
    readonly vision?: Uint8Array | undefined
    readonly projector?: Uint8Array | undefined
    readonly decoder: Uint8Array
  }
  /** Folder that the external data names of the graphs are relative to. */
  readonly dataFolder: string
  readonly embedding: EmbeddingPlace & { readonly path: string }
  /** Size of the weight files in bytes. */
  readonly weightBytes: number
}

import type { EmbeddingPlace } from '../decoder/embedding-table.js'
import type { ModelConfig } from '../models/model-definition.js'
import type { GraphName } from './graph-names.js'
import type { StageDtypes } from './stage-dtypes.js'

/**
 * ONNX files in memory; vision and projector are absent for a model that takes text only, crossKeys for one without
 * cross-attention.
 */
export type ModelGraphs = { readonly decoder: Uint8Array } & {
  readonly [Name in Exclude<GraphName, 'decoder'>]?: Uint8Array | undefined
}

/** Gives the decoder's graph for one of `BATCH_SLOTS`. Its weights are the decoder's. */
export type BatchGraphs = (numSlots: number) => Promise<Uint8Array>

/** Everything that is needed to run a model, whether it was prepared before or is built now. */
export interface RunnableModel {
  /** Folder with config.json and the tokenizer files. */
  readonly folder: string
  readonly config: ModelConfig
  readonly graphs: ModelGraphs
  /** Absent for a model whose decoder takes one sequence at a time. */
  readonly batchGraphs?: BatchGraphs | undefined
  /** Was it made by `prepareCheckpoint`, or is it a checkpoint as published? */
  readonly isPrepared: boolean
  /** What the weights are stored as. */
  readonly dtypes: StageDtypes
  /** Folder that the external data names of the graphs are relative to. */
  readonly dataFolder: string
  /** `paths` has the file of each piece. */
  readonly embedding: EmbeddingPlace & { readonly paths: readonly string[] }
  /** Size of the weights in bytes. */
  readonly weightBytes: number
}

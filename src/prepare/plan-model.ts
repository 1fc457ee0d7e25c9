import { invariant } from '../core/errors.js'
import type { EmbeddingPlace } from '../decoder/embedding-table.js'
import type { GraphCompute } from '../graph/weight-source.js'
import { batchGraphs, buildGraphs } from './build-graphs.js'
import { type CheckpointModel, embeddingTensor } from './build-model.js'
import { forEachGraph, graphNames, graphParts } from './graph-names.js'
import type { BatchGraphs, ModelGraphs } from './runnable-model.js'
import { type StageDtypes, stageFormats } from './stage-dtypes.js'
import { type ConversionStep, type DataFilePlan, WeightLayout } from './weight-layout.js'

/** What a prepared folder with weights of its own will hold. */
export interface ModelPlan {
  readonly dtypes: StageDtypes
  readonly graphs: ModelGraphs
  readonly batchGraphs?: BatchGraphs | undefined
  /** `files` has the data file of each piece. */
  readonly embedding: EmbeddingPlace & { readonly files: readonly string[] }
  /** In the order in which they are done. */
  readonly steps: readonly ConversionStep[]
  readonly dataFiles: readonly DataFilePlan[]
}

/** Choices of a plan. */
export interface PlanOptions {
  readonly blockInput: GraphCompute['blockInput']
  readonly maxFileBytes?: number | undefined
}

/**
 * Build the graphs of a checkpoint for data files that are still to be written, and find out what belongs into them.
 * Nothing is read.
 *
 * @throws {NVLMError} MODEL_INVALID or MODEL_UNSUPPORTED naming the tensor
 */
export function planModel(model: CheckpointModel, dtypes: StageDtypes, options: PlanOptions): ModelPlan {
  const { config, names, checkpoint, dropsDummyHeads } = model
  const layouts = forEachGraph(
    name => new WeightLayout(graphParts[name].fileName, checkpoint.tensors, options.maxFileBytes),
  )
  const sources = forEachGraph(name =>
    layouts[name].source(dtypes[graphParts[name].stage], options.blockInput),
  )
  const graphs = buildGraphs(config, names, sources, dropsDummyHeads)
  const table = embeddingTensor(model)
  const { vocabSize, hiddenSize } = config.decoder
  // shares the place of the output layer where that has the same weights
  const part = { use: 'head', rows: { first: 0, count: vocabSize }, columns: hiddenSize } as const
  const places = layouts.decoder.place(table.name, part, stageFormats[dtypes.decoder].head)
  const { dtype } = places[0]!
  invariant(dtype !== 'int8', 'embeddings are not stored as int8')
  const all = graphNames.map(name => layouts[name])
  return {
    dtypes,
    graphs,
    batchGraphs: batchGraphs(config, names, sources.decoder),
    embedding: {
      dtype,
      vocabSize,
      hiddenSize,
      files: places.map(({ file }) => file),
      pieces: places.map(place => ({
        rows: place.rows,
        offset: place.offset,
        ...('scalesOffset' in place && { scalesOffset: place.scalesOffset }),
        ...('zeroPointsOffset' in place &&
          place.zeroPointsOffset !== undefined && { zeroPointsOffset: place.zeroPointsOffset }),
      })),
    },
    steps: all.flatMap(({ steps }) => steps),
    dataFiles: all.flatMap(({ files }) => files),
  }
}

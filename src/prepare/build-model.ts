import { NVLMError } from '../core/errors.js'
import type { TensorInfo } from '../formats/safetensors.js'
import { openCheckpoint, type SafetensorsCheckpoint } from '../formats/safetensors-checkpoint.js'
import { isFloat } from '../graph/weights.js'
import type { ModelConfig, WeightNames } from '../models/model-definition.js'
import type { Files } from '../platform/platform.js'
import { batchGraphs, buildGraphs } from './build-graphs.js'
import { areDummyHeadsZero, mayDropDummyHeads } from './dummy-heads.js'
import { forEachGraph } from './graph-names.js'
import { withPackedMatrices } from './packed-tensors.js'
import { readModelConfig } from './read-model-config.js'
import type { RunnableModel } from './runnable-model.js'
import { dtypePresets } from './stage-dtypes.js'
import { type PlacedWeights, placeWeights } from './weight-places.js'

/** A checkpoint folder, read as far as its settings and headers. */
export interface CheckpointModel {
  readonly folder: string
  readonly config: ModelConfig
  /** What its tensors are called. */
  readonly names: WeightNames
  readonly checkpoint: SafetensorsCheckpoint
  /** Are the dummy attention heads all zero? */
  readonly dropsDummyHeads: boolean
}

/** The graphs of a checkpoint that read its weights where they lie. */
export interface BuiltModel extends RunnableModel {
  /** Path of each weight file → its name in the graphs. */
  readonly locations: PlacedWeights['locations']
}

/**
 * Read the settings and the weight headers of a checkpoint folder. Of the weights only the dummy heads are read.
 *
 * @param options - with `readsWeights: false` they are not either, and taken for zero, as they are in what is published
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED naming the file
 */
export async function readCheckpoint(
  files: Files,
  folder: string,
  { readsWeights = true }: { readonly readsWeights?: boolean } = {},
): Promise<CheckpointModel> {
  const config = await readModelConfig(files, folder)
  const checkpoint = withPacked(await openCheckpoint(files, folder), config)
  const names = chooseNames(config.weightNames, checkpoint)
  const dropsDummyHeads =
    config.vision !== undefined &&
    names.vision !== undefined &&
    (readsWeights
      ? await areDummyHeadsZero(files, checkpoint.tensors, config.vision.tower, names.vision)
      : mayDropDummyHeads(config.vision.tower, names.vision))
  return { folder, config, names, checkpoint, dropsDummyHeads }
}

/**
 * Build the graphs of a checkpoint in memory: they name the places of the weights in its own files.
 *
 * @throws {NVLMError} MODEL_INVALID or MODEL_UNSUPPORTED naming the tensor
 */
export async function buildInPlace(files: Files, model: CheckpointModel): Promise<BuiltModel> {
  const { folder, config, names, checkpoint, dropsDummyHeads } = model
  const { dataFolder, source, locations } = await placeWeights(files, checkpoint)
  const sources = forEachGraph(() => source)
  const table = embeddingTensor(model)
  const { vocabSize, hiddenSize } = config.decoder
  return {
    folder,
    config,
    graphs: buildGraphs(config, names, sources, dropsDummyHeads),
    batchGraphs: batchGraphs(config, names, source),
    isPrepared: false,
    dtypes: dtypePresets.fp32,
    dataFolder,
    embedding: {
      ...{ dtype: table.dtype, vocabSize, hiddenSize, paths: [table.file] },
      pieces: [{ rows: vocabSize, offset: table.offset }],
    },
    weightBytes: checkpoint.totalBytes,
    locations,
  }
}

/**
 * Build the graphs of a checkpoint folder in memory. Headers are read, weights are not: the graphs name their places.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED naming the file
 */
export async function buildModel(files: Files, folder: string): Promise<BuiltModel> {
  return buildInPlace(files, await readCheckpoint(files, folder))
}

function withPacked(checkpoint: SafetensorsCheckpoint, { packed }: ModelConfig): SafetensorsCheckpoint {
  if (packed === undefined) return checkpoint
  return { ...checkpoint, tensors: withPackedMatrices(checkpoint.tensors, packed) }
}

/** The names whose embedding table the checkpoint has; otherwise the first, whose missing tensors are then reported. */
function chooseNames(alternatives: readonly WeightNames[], { tensors }: SafetensorsCheckpoint): WeightNames {
  return alternatives.find(({ decoder }) => tensors.has(`${decoder.embedding}.weight`)) ?? alternatives[0]!
}

/**
 * The tensor of the token embeddings, checked.
 *
 * @throws {NVLMError} MODEL_INVALID or MODEL_UNSUPPORTED
 */
export function embeddingTensor({ config, names, checkpoint }: CheckpointModel) {
  const name = `${names.decoder.embedding}.weight`
  const tensor: TensorInfo | undefined = checkpoint.tensors.get(name)
  const { vocabSize, hiddenSize } = config.decoder
  if (tensor === undefined) throw new NVLMError('MODEL_INVALID', `the checkpoint has no tensor "${name}"`)
  const { dtype, shape } = tensor
  if (shape.length !== 2 || shape[0] !== vocabSize || shape[1] !== hiddenSize) {
    throw new NVLMError(
      'MODEL_INVALID',
      `tensor "${name}" is [${shape.join(', ')}], config.json asks for [${vocabSize}, ${hiddenSize}]`,
    )
  }
  if (!isFloat(dtype)) {
    throw new NVLMError('MODEL_UNSUPPORTED', `tensor "${name}" is ${dtype}; read are F32, F16 and BF16`)
  }
  return { ...tensor, dtype }
}

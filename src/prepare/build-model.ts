import { NVLMError } from '../core/errors.js'
import type { EmbeddingPlace } from '../decoder/embedding-table.js'
import { parseJson } from '../formats/json.js'
import { encodeModel } from '../formats/onnx/encode-model.js'
import { openCheckpoint, type SafetensorsCheckpoint } from '../formats/safetensors-checkpoint.js'
import { internVitGraph } from '../graph/towers/intern-vit.js'
import { mlpProjectorGraph } from '../graph/towers/mlp-projector.js'
import { qwen2DecoderGraph } from '../graph/towers/qwen2-decoder.js'
import type { ModelConfig } from '../models/model-definition.js'
import { parseModelConfig } from '../models/model-list.js'
import type { Files } from '../platform/platform.js'
import { areDummyHeadsZero } from './dummy-heads.js'
import type { RunnableModel } from './runnable-model.js'
import { type PlacedWeights, placeWeights } from './weight-places.js'

const MAX_CONFIG_BYTES = 10_000_000

/** A checkpoint, read as far as its headers, and the graphs for it. */
export interface BuiltModel extends RunnableModel {
  readonly checkpoint: SafetensorsCheckpoint
  readonly locations: PlacedWeights['locations']
}

/**
 * Build the graphs of a checkpoint folder in memory. Headers are read, weights are not: the graphs name their places.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED naming the file
 */
export async function buildModel(files: Files, folder: string): Promise<BuiltModel> {
  const config = await readModelConfig(files, folder)
  const checkpoint = await openCheckpoint(files, folder)
  const { dataFolder, places, locations } = await placeWeights(files, checkpoint)
  return {
    folder,
    config,
    graphs: await buildGraphs(files, config, checkpoint, places),
    dataFolder,
    embedding: embeddingPlace(config, checkpoint),
    weightBytes: checkpoint.totalBytes,
    checkpoint,
    locations,
  }
}

/** Read and understand a folder's config.json. */
export async function readModelConfig(files: Files, folder: string): Promise<ModelConfig> {
  const path = files.join(folder, 'config.json')
  const bytes = await files.read(path, MAX_CONFIG_BYTES)
  return parseModelConfig(
    parseJson(bytes, { path, maxBytes: MAX_CONFIG_BYTES, largeIntegers: 'round' }),
    path,
  )
}

async function buildGraphs(
  files: Files,
  config: ModelConfig,
  checkpoint: SafetensorsCheckpoint,
  places: PlacedWeights['places'],
): Promise<RunnableModel['graphs']> {
  const { vision, decoder, weightPrefixes } = config
  const decoderGraph = encodeModel(qwen2DecoderGraph(decoder, places, weightPrefixes.decoder))
  if (vision === undefined) return { decoder: decoderGraph }
  const dropsDummyHeads = await areDummyHeadsZero(
    files,
    checkpoint.tensors,
    vision.tower,
    weightPrefixes.vision,
  )
  return {
    vision: encodeModel(internVitGraph(vision.tower, places, weightPrefixes.vision, { dropsDummyHeads })),
    projector: encodeModel(mlpProjectorGraph(vision.projector, places, weightPrefixes.projector)),
    decoder: decoderGraph,
  }
}

function embeddingPlace(config: ModelConfig, checkpoint: SafetensorsCheckpoint): RunnableModel['embedding'] {
  const name = `${config.weightPrefixes.decoder}model.embed_tokens.weight`
  const tensor = checkpoint.tensors.get(name)
  const { vocabSize, hiddenSize } = config.decoder
  if (tensor === undefined) throw new NVLMError('MODEL_INVALID', `the checkpoint has no tensor "${name}"`)
  const { dtype, shape, offset, file } = tensor
  if (shape.length !== 2 || shape[0] !== vocabSize || shape[1] !== hiddenSize) {
    throw new NVLMError(
      'MODEL_INVALID',
      `tensor "${name}" is [${shape.join(', ')}], config.json asks for [${vocabSize}, ${hiddenSize}]`,
    )
  }
  if (!isReadable(dtype)) {
    throw new NVLMError('MODEL_UNSUPPORTED', `tensor "${name}" is ${dtype}; read are F32, F16 and BF16`)
  }
  return { dtype, vocabSize, hiddenSize, offset, path: file }
}

function isReadable(dtype: string): dtype is EmbeddingPlace['dtype'] {
  return dtype === 'F32' || dtype === 'F16' || dtype === 'BF16'
}

import { baseName } from '../formats/file-name.js'
import type { Files } from '../platform/platform.js'
import { readCheckpoint } from '../prepare/build-model.js'
import { openModel } from '../prepare/open-model.js'
import type { RunnableModel } from '../prepare/runnable-model.js'
import { type DtypeOption, dtypePresets, parseDtype, type StageDtypes } from '../prepare/stage-dtypes.js'
import { type ModelNeeds, modelNeeds, requireFit } from './model-needs.js'

/** What a model folder holds; found without reading weights. */
export interface ModelInspection {
  /** Name of the folder. */
  readonly id: string
  /** Is it a checkpoint as published, or a folder made by `prepare`? */
  readonly kind: 'checkpoint' | 'prepared'
  /** Name of the model definition, such as `nvlm-d`. */
  readonly family: string
  /** Size of the weight files in bytes. */
  readonly weightBytes: number
  /** Most tokens of prompt and answer together. */
  readonly contextLength: number
  readonly decoder: {
    readonly layers: number
    readonly hiddenSize: number
    readonly attentionHeads: number
    readonly keyValueHeads: number
    readonly vocabSize: number
  }
  /** The picture side; absent for a model that takes text only. */
  readonly vision?:
    | {
        readonly layers: number
        readonly hiddenSize: number
        readonly tileSize: number
        readonly maxTiles: number
        readonly tokensPerTile: number
        /** Is a small copy of the whole picture added to the tiles? */
        readonly useThumbnail: boolean
      }
    | undefined
  /** Bytes of keys and values that one token adds, in float32. */
  readonly cacheBytesPerToken: number
  /** What the weights are stored as. */
  readonly dtype: StageDtypes
  /** What a checkpoint takes with each dtype; absent for a prepared folder, whose weights are what they are. */
  readonly needs?: readonly ModelNeeds[] | undefined
}

/** What is to be found out. */
export interface InspectOptions {
  /** Tell the needs of this dtype only; default: of each name that stands for all stages. */
  readonly dtype?: DtypeOption | undefined
  /** Tokens of prompt and answer that memory is counted for; default 4096, or the model's limit if that is less. */
  readonly contextLength?: number | undefined
  /** Memory of the machine: throw if the model can't fit. Default: not checked. */
  readonly memoryBytes?: number | undefined
}

const DEFAULT_CONTEXT_LENGTH = 4096

/**
 * Look into a model folder: its settings and weight headers are read and checked, its weights are not.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED naming the file; MODEL_UNSUPPORTED if the
 * model cannot fit `memoryBytes`
 */
export async function inspectModel(
  files: Files,
  folder: string,
  options: InspectOptions = {},
): Promise<ModelInspection> {
  const dtypes = options.dtype === undefined ? Object.values(dtypePresets) : [parseDtype(options.dtype)]
  const opened = await openModel(files, folder)
  const inspection = describeModel(files, opened)
  if (opened.isPrepared) return inspection
  const { contextLength = DEFAULT_CONTEXT_LENGTH, memoryBytes = Number.POSITIVE_INFINITY } = options
  const { cacheBytesPerToken } = inspection
  const sequence = { cacheBytesPerToken, contextLength: Math.min(contextLength, inspection.contextLength) }
  const needs = modelNeeds(await readCheckpoint(files, folder), dtypes, sequence)
  requireFit(needs, memoryBytes, sequence.contextLength)
  return { ...inspection, needs }
}

function describeModel(files: Files, model: RunnableModel): ModelInspection {
  const { folder, config, weightBytes, isPrepared, dtypes } = model
  const { decoder, vision } = config
  return {
    id: baseName(files.resolve(folder)),
    kind: isPrepared ? 'prepared' : 'checkpoint',
    family: config.family,
    weightBytes,
    contextLength: decoder.maxPositionEmbeddings,
    decoder: {
      layers: decoder.numHiddenLayers,
      hiddenSize: decoder.hiddenSize,
      attentionHeads: decoder.numAttentionHeads,
      keyValueHeads: decoder.numKeyValueHeads,
      vocabSize: decoder.vocabSize,
    },
    vision: vision && {
      layers: vision.tower.numHiddenLayers,
      hiddenSize: vision.tower.hiddenSize,
      tileSize: vision.tiling.tileSize,
      maxTiles: vision.tiling.maxTiles,
      tokensPerTile: vision.tokensPerTile,
      useThumbnail: vision.tiling.useThumbnail,
    },
    cacheBytesPerToken: decoder.numHiddenLayers * decoder.numKeyValueHeads * decoder.headDim * 2 * 4,
    dtype: dtypes,
  }
}

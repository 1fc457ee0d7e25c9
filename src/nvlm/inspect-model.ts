import type { Device } from '../backend/backend.js'
import type { CrossAttentionPlacement } from '../graph/towers/cross-attention-config.js'
import { modelIdOfPath } from '../hub/hub-name.js'
import { type ModelLicense, readLicense } from '../hub/model-card.js'
import { type Fusion, numCrossTiles } from '../models/fusion.js'
import type { ModelConfig } from '../models/model-definition.js'
import { crossBytes } from '../models/prompt-cost.js'
import type { Files } from '../platform/platform.js'
import { readCheckpoint } from '../prepare/build-model.js'
import { isPreparedFolder } from '../prepare/open-model.js'
import { packedInPlace } from '../prepare/packed-tensors.js'
import { openPrepared, readManifest } from '../prepare/prepared-model.js'
import {
  type DtypeOption,
  dtypePresets,
  isInPlace,
  parseDtype,
  type StageDtypes,
} from '../prepare/stage-dtypes.js'
import { type DeviceFit, describeDevices } from './device-fit.js'
import { type ModelNeeds, modelNeeds, requireFit } from './model-needs.js'

/** What a model holds; found without reading weights. */
export interface ModelInspection {
  /** Name on the hub, or of the folder. */
  readonly id: string
  /** Is it a checkpoint as published, or a folder made by `prepare`? */
  readonly kind: 'checkpoint' | 'prepared'
  /** Name of the model definition, such as `nvlm-d`. */
  readonly family: string
  /** How pictures reach the language model; absent for a model that takes text only. */
  readonly fusion?: Fusion | undefined
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
  /** Gated layers that look at pictures; absent for a model that has its pictures in the token sequence alone. */
  readonly crossAttention?:
    | {
        /** Layers of the decoder that carry one, counted from 0. */
        readonly layers: readonly number[]
        readonly placement: CrossAttentionPlacement
        /** Bytes of keys and values that one tile adds, in float32; those of a tag come on top where tags are looked at. */
        readonly bytesPerTile: number
      }
    | undefined
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
  /** Where it can run, and why not. */
  readonly devices: readonly DeviceFit[]
  /** What the model card says, kept by a prepared folder; absent without a card. */
  readonly license?: ModelLicense | undefined
  /** Of a model that was given by its name on the hub: bytes that loading needs, and those that are in the cache. */
  readonly download?:
    | { readonly commit: string; readonly totalBytes: number; readonly cachedBytes: number }
    | undefined
}

/** What is to be found out. */
export interface InspectOptions {
  /** Tell the needs of this dtype only; default: of each name that stands for all stages, and that the weights can be prepared as. */
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
 * @param devices - what the engine has
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED naming the file; MODEL_UNSUPPORTED if the
 * model cannot fit `memoryBytes`
 */
export async function inspectModel(
  files: Files,
  folder: string,
  options: InspectOptions = {},
  devices: readonly Device[] = [],
): Promise<ModelInspection> {
  const dtypes = options.dtype === undefined ? Object.values(dtypePresets) : [parseDtype(options.dtype)]
  const { contextLength = DEFAULT_CONTEXT_LENGTH, memoryBytes = Number.POSITIVE_INFINITY } = options
  const id = modelIdOfPath(files.resolve(folder))
  if (await isPreparedFolder(files, folder)) {
    const model = await openPrepared(files, folder)
    const { license } = await readManifest(files, folder)
    const described = describeModel(model.config, model.weightBytes)
    const fits = describeDevices(devices, [], memoryBytes)
    return { id, kind: 'prepared', ...described, dtype: model.dtypes, devices: fits, license }
  }
  const model = await readCheckpoint(files, folder, { readsWeights: false })
  const license = await readLicense(files, folder)
  const described = describeModel(model.config, model.checkpoint.totalBytes)
  const sequence = {
    cacheBytesPerToken: described.cacheBytesPerToken,
    contextLength: Math.min(contextLength, described.contextLength),
    pictureBytes: largestPictureBytes(model.config),
  }
  const { packed } = model.config
  const offered = packed === undefined ? dtypes : dtypes.filter(stages => !isInPlace(stages))
  if (packed !== undefined && offered.length === 0) throw packedInPlace(packed.layout)
  const needs = modelNeeds(model, offered, sequence)
  requireFit(needs, memoryBytes, sequence.contextLength)
  const fits = describeDevices(devices, needs, memoryBytes)
  return { id, kind: 'checkpoint', ...described, dtype: dtypePresets.fp32, needs, devices: fits, license }
}

/** What config.json and the headers tell. */
type ModelDescription = Pick<
  ModelInspection,
  | 'family'
  | 'fusion'
  | 'weightBytes'
  | 'contextLength'
  | 'decoder'
  | 'crossAttention'
  | 'vision'
  | 'cacheBytesPerToken'
>

function describeModel(config: ModelConfig, weightBytes: number): ModelDescription {
  const { decoder, vision } = config
  return {
    family: config.family,
    fusion: vision?.fusion,
    weightBytes,
    contextLength: decoder.maxPositionEmbeddings,
    decoder: {
      layers: decoder.numHiddenLayers,
      hiddenSize: decoder.hiddenSize,
      attentionHeads: decoder.numAttentionHeads,
      keyValueHeads: decoder.numKeyValueHeads,
      vocabSize: decoder.vocabSize,
    },
    crossAttention: decoder.crossAttention && {
      layers: decoder.crossAttention.layers,
      placement: decoder.crossAttention.placement,
      bytesPerTile: crossBytes(decoder, vision?.tokensPerTile ?? 0),
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
  }
}

/** Bytes of the keys and values that the largest picture adds for cross-attention. */
function largestPictureBytes({ decoder, vision }: ModelConfig): number {
  if (vision === undefined) return 0
  const { maxTiles, useThumbnail } = vision.tiling
  const numTiles = maxTiles + (useThumbnail && maxTiles > 1 ? 1 : 0)
  return crossBytes(decoder, numCrossTiles(vision.fusion, numTiles) * vision.tokensPerTile)
}

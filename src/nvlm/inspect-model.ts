import { baseName } from '../formats/file-name.js'
import type { Files } from '../platform/platform.js'
import { MANIFEST_NAME } from '../prepare/manifest.js'
import { openModel } from '../prepare/open-model.js'

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
}

/**
 * Look into a model folder: its settings and weight headers are read and checked, its weights are not.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED naming the file
 */
export async function inspectModel(files: Files, folder: string): Promise<ModelInspection> {
  const { config, weightBytes } = await openModel(files, folder)
  const isPrepared = (await files.stat(files.join(folder, MANIFEST_NAME))) !== undefined
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
  }
}

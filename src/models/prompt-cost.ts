import type { InternVitConfig } from '../graph/towers/intern-vit.js'
import type { MlpProjectorConfig } from '../graph/towers/mlp-projector.js'
import type { DecoderConfig, ModelConfig } from './model-definition.js'

/** A prompt as its cost depends on it. */
export interface PromptSizes {
  /** Tiles of all pictures, thumbnails included. */
  readonly numTiles: number
  /** Tokens of the sequence, image embeddings included. */
  readonly numTokens: number
  /** Rows of keys and values that are looked at by cross-attention: embeddings of tiles and of their tags. */
  readonly numCrossRows: number
}

/** What a prompt takes to read. A multiplication and an addition are two operations; norms and activations are not counted. */
export interface PromptCost {
  readonly visionFlops: number
  readonly projectorFlops: number
  /** Keys and values for cross-attention. */
  readonly crossKeysFlops: number
  /** Reading all tokens, and the logits of the last one. */
  readonly prefillFlops: number
  /** Bytes of the sequence's keys and values, in float32 as they are kept. */
  readonly cacheBytes: number
  /** Bytes of the keys and values for cross-attention, in float32 as they are kept. */
  readonly crossBytes: number
}

/** Keys and values, of four bytes each. */
const BYTES_OF_PAIR = 8

/** Count what a prompt costs. */
export function promptCost({ vision, decoder }: ModelConfig, sizes: PromptSizes): PromptCost {
  const { numTiles, numTokens, numCrossRows } = sizes
  const keyValueWidth = decoder.numKeyValueHeads * decoder.headDim
  const numCrossLayers = decoder.crossAttention?.layers.length ?? 0
  const numEmbeds = numTiles * (vision?.tokensPerTile ?? 0)
  return {
    visionFlops: vision ? numTiles * tileFlops(vision.tower, vision.tiling.tileSize) : 0,
    projectorFlops: vision ? numEmbeds * projectorFlops(vision.projector) : 0,
    crossKeysFlops: numCrossLayers * numCrossRows * product(decoder.hiddenSize, 2 * keyValueWidth),
    prefillFlops:
      decoder.numHiddenLayers * layerFlops(decoder, numTokens) +
      numCrossLayers * crossLayerFlops(decoder, numTokens, numCrossRows) +
      product(decoder.hiddenSize, decoder.vocabSize),
    cacheBytes: decoder.numHiddenLayers * numTokens * keyValueWidth * BYTES_OF_PAIR,
    crossBytes: crossBytes(decoder, numCrossRows),
  }
}

/** Bytes of the keys and values of some rows for all cross-attention layers, in float32. */
export function crossBytes(decoder: DecoderConfig, numRows: number): number {
  const numLayers = decoder.crossAttention?.layers.length ?? 0
  return numLayers * numRows * decoder.numKeyValueHeads * decoder.headDim * BYTES_OF_PAIR
}

/** Of one row times a matrix. */
function product(inputs: number, outputs: number): number {
  return 2 * inputs * outputs
}

function layerFlops(decoder: DecoderConfig, numTokens: number): number {
  const { hiddenSize, intermediateSize, numAttentionHeads, numKeyValueHeads, headDim } = decoder
  const width = numAttentionHeads * headDim
  const projections = product(hiddenSize, 2 * width + 2 * numKeyValueHeads * headDim)
  const feedForward = product(hiddenSize, 3 * intermediateSize)
  // scores, and the values that they weigh
  const attention = 2 * product(width, visiblePairs(numTokens, decoder.attentionWindow))
  return numTokens * (projections + feedForward) + attention
}

/** All rows are computed with, those that a token does not see are masked. */
function crossLayerFlops(decoder: DecoderConfig, numTokens: number, numRows: number): number {
  const width = decoder.numAttentionHeads * decoder.headDim
  return numTokens * (product(decoder.hiddenSize, 2 * width) + 2 * product(width, numRows))
}

/** Pairs of a token and one that it sees: itself and those before it, as far as the window goes. */
function visiblePairs(numTokens: number, window = numTokens): number {
  const numWhole = Math.max(0, numTokens - window - 1)
  const numGrowing = numTokens - numWhole
  return (numGrowing * (numGrowing + 1)) / 2 + numWhole * (window + 1)
}

function tileFlops(tower: InternVitConfig, tileSize: number): number {
  const { hiddenSize, intermediateSize, numHiddenLayers, patchSize } = tower
  const numPatches = (tileSize / patchSize) ** 2
  const numTokens = numPatches + 1
  const matrices = product(hiddenSize, 4 * hiddenSize + 2 * intermediateSize)
  const attention = 2 * product(hiddenSize, numTokens)
  const patches = numPatches * product(3 * patchSize * patchSize, hiddenSize)
  return patches + numHiddenLayers * numTokens * (matrices + attention)
}

function projectorFlops(projector: MlpProjectorConfig): number {
  const { visionHiddenSize, intermediateSize, hiddenSize, shuffleFactor } = projector
  const width = shuffleFactor * shuffleFactor * visionHiddenSize
  if (intermediateSize === undefined) return product(width, hiddenSize)
  return product(width, intermediateSize) + product(intermediateSize, hiddenSize)
}

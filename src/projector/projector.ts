import type { Session } from '../backend/backend.js'
import { assertFinite } from '../core/assert-finite.js'
import { NVLMError } from '../core/errors.js'
import type { FloatTensor } from '../core/tensor.js'

/** What the projector must know of its graph. */
export interface ProjectorShape {
  /** Width of a patch feature. */
  readonly visionHiddenSize: number
  /** Width of an image embedding. */
  readonly hiddenSize: number
  /** Patches that become one token, along one side. */
  readonly shuffleFactor: number
}

/** Patch features → image embeddings: pixel shuffle and the two-layer MLP. */
export class Projector {
  constructor(
    private readonly session: Session,
    private readonly shape: ProjectorShape,
  ) {}

  /**
   * Project patch features into the decoder's embedding space.
   *
   * @param features - float32 [numTiles, side * side, visionHiddenSize], patches row-major
   * @returns float32 [numTiles * tokensPerTile, hiddenSize]
   * @throws {NVLMError} INVALID_OPTION if the shape does not fit the model, NUMERIC if an embedding is not finite
   */
  async project(features: FloatTensor): Promise<FloatTensor> {
    const { visionHiddenSize, hiddenSize, shuffleFactor } = this.shape
    const [numTiles = 0, numPatches = 0, width] = features.dims
    const tokensPerSide = Math.sqrt(numPatches) / shuffleFactor
    const isWhole = features.data.length === numTiles * numPatches * visionHiddenSize
    if (
      features.dims.length !== 3 ||
      width !== visionHiddenSize ||
      !Number.isInteger(tokensPerSide) ||
      !isWhole
    ) {
      throw new NVLMError(
        'INVALID_OPTION',
        `features [${features.dims.join(', ')}] with ${features.data.length} values; expected [numTiles, side * side, ${visionHiddenSize}], side a multiple of ${shuffleFactor}`,
      )
    }
    const numTokens = numTiles * tokensPerSide * tokensPerSide
    if (numTokens === 0) return { data: new Float32Array(0), dims: [0, hiddenSize] }
    // the split of both sides into blocks is part of the shape, so that the graph only transposes
    const dims = [numTiles, tokensPerSide, shuffleFactor, tokensPerSide, shuffleFactor, visionHiddenSize]
    const outputs = await this.session.run({ features: { type: 'float32', data: features.data, dims } })
    const data = outputs.imageEmbeds!.data as Float32Array
    assertFinite(data, 'projector: image embeddings')
    return { data, dims: [numTokens, hiddenSize] }
  }

  /** Free the session. */
  async dispose(): Promise<void> {
    await this.session.dispose()
  }
}

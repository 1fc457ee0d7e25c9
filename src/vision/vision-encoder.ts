import type { Session } from '../backend/backend.js'
import { assertFinite } from '../core/assert-finite.js'
import { NVLMError } from '../core/errors.js'
import type { FloatTensor } from '../core/tensor.js'

/** What the encoder must know of its graph. */
export interface VisionEncoderShape {
  readonly patchSize: number
  readonly hiddenSize: number
  /** The one tile size that the positions are made for; undefined when the graph interpolates them. */
  readonly fixedTileSize?: number | undefined
}

/** Pixels → patch features: runs the vision graph tile by tile, so that memory does not grow with the tiles. */
export class VisionEncoder {
  constructor(
    private readonly session: Session,
    private readonly shape: VisionEncoderShape,
  ) {}

  /**
   * Encode tiles.
   *
   * @param pixelValues - float32 [numTiles, 3, tileSize, tileSize], RGB, normalised
   * @param options.signal - looked at between tiles
   * @returns float32 [numTiles, patches, hiddenSize], patches row-major, class token dropped
   * @throws {NVLMError} INVALID_OPTION if the shape does not fit the model, NUMERIC if a feature is not finite
   */
  async encode(
    pixelValues: FloatTensor,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<FloatTensor> {
    const { numTiles, tileSize } = this.checkedSizes(pixelValues)
    const numPatches = (tileSize / this.shape.patchSize) ** 2
    const features = new Float32Array(numTiles * numPatches * this.shape.hiddenSize)
    const tileLength = 3 * tileSize * tileSize
    for (let tile = 0; tile < numTiles; tile++) {
      options.signal?.throwIfAborted()
      const data = pixelValues.data.subarray(tile * tileLength, (tile + 1) * tileLength)
      const outputs = await this.session.run({
        pixelValues: { type: 'float32', data, dims: [1, 3, tileSize, tileSize] },
      })
      const tileFeatures = outputs.features!.data as Float32Array
      assertFinite(tileFeatures, `vision encoder: features of tile ${tile}`)
      features.set(tileFeatures, tile * numPatches * this.shape.hiddenSize)
    }
    return { data: features, dims: [numTiles, numPatches, this.shape.hiddenSize] }
  }

  /** Free the session. */
  async dispose(): Promise<void> {
    await this.session.dispose()
  }

  private checkedSizes(pixelValues: FloatTensor): { numTiles: number; tileSize: number } {
    const [numTiles = 0, channels, height = 0, width] = pixelValues.dims
    const { patchSize, fixedTileSize } = this.shape
    const wanted = fixedTileSize ?? `a multiple of ${2 * patchSize}`
    const fits =
      fixedTileSize === undefined ? height % (2 * patchSize) === 0 && height > 0 : height === fixedTileSize
    const isWhole = pixelValues.data.length === numTiles * 3 * height * height
    if (pixelValues.dims.length !== 4 || channels !== 3 || width !== height || !fits || !isWhole) {
      throw new NVLMError(
        'INVALID_OPTION',
        `pixelValues [${pixelValues.dims.join(', ')}] with ${pixelValues.data.length} values; expected [numTiles, 3, tileSize, tileSize], tileSize ${wanted}`,
        { hint: 'Use a tiler with the tile size of the model.' },
      )
    }
    return { numTiles, tileSize: height }
  }
}

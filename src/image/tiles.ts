import type { FloatTensor } from '../core/tensor.js'

/** A picture cut as the model sees it. */
export interface Tiles {
  /** float32 [numTiles, 3, tileSize, tileSize], RGB, normalised with ImageNet mean and deviation. */
  readonly pixelValues: FloatTensor
  /** Uint8 [numTiles, tileSize, tileSize, 3]: the same pixels before normalising. */
  readonly rgb: Uint8Array
  /** Grid of the regular tiles, row-major. */
  readonly columns: number
  readonly rows: number
  /** Is the last tile the whole picture made small? */
  readonly thumbnail: boolean
  /** `columns * rows`, and one more with a thumbnail. */
  readonly numTiles: number
}

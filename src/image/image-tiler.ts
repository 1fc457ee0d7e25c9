import type { ImageInput, OpenedImage } from '../platform/image-input.js'
import type { ImageDecoder, RgbImage } from '../platform/platform.js'
import { WorkBudget } from '../platform/work-budget.js'
import { resizeBicubicInto } from './bicubic.js'
import {
  type ImageTilerOptions,
  parseTileCallOptions,
  parseTilerOptions,
  type TileCallOptions,
  type TileSettings,
} from './image-tiler-options.js'
import { closestTileGrid } from './tile-grid.js'
import { tileTarget } from './tile-target.js'
import type { Tiles } from './tiles.js'

/** Pictures that one tiler holds decoded at a time; more would take memory but no less time. */
const MAX_PICTURES_IN_WORK = 2

/**
 * Cuts pictures into tiles as NVLM-D and InternVL see them, pixel for pixel as the official code does.
 *
 * Holds no resource; one tiler serves any number of calls at a time.
 *
 * @see nvidia/NVLM-D-72B model card, `dynamic_preprocess` and `load_image`
 */
export class ImageTiler {
  readonly #settings: TileSettings
  readonly #decoder: ImageDecoder<ImageInput>
  readonly #inWork = new WorkBudget(MAX_PICTURES_IN_WORK)

  /** @throws {NVLMError} INVALID_OPTION */
  constructor(options: ImageTilerOptions, decoder: ImageDecoder<ImageInput>) {
    this.#settings = parseTilerOptions(options)
    this.#decoder = decoder
  }

  /** Width and height of a tile in pixels. */
  get tileSize(): number {
    return this.#settings.tileSize
  }

  /**
   * Read a picture as far as its bytes or pixels, without decoding it. `tile` takes the outcome.
   *
   * @throws {NVLMError} IMAGE_INPUT, IMAGE_DECODE or IMAGE_TOO_LARGE; an abort rejects with the signal's reason
   */
  open(image: ImageInput, options: Pick<TileCallOptions, 'signal'> = {}): Promise<OpenedImage> {
    return this.#decoder.open(image, { limits: this.#settings.limits, signal: options.signal })
  }

  /**
   * Decode a picture and cut it. Long work pauses for the event loop and watches `signal`.
   *
   * @throws {NVLMError} INVALID_OPTION, IMAGE_INPUT, IMAGE_DECODE or IMAGE_TOO_LARGE; an abort rejects with the signal's reason
   */
  async tile(image: ImageInput | OpenedImage, options: TileCallOptions = {}): Promise<Tiles> {
    const { settings, signal } = parseTileCallOptions(options, this.#settings)
    const { applyExif, limits } = settings
    const cut = (decoded: RgbImage) => cutTiles(decoded, settings, signal)
    const work = () => this.#decoder.decodeFor(image, { applyExif, limits, signal }, cut)
    return this.#inWork.run(1, work, signal)
  }
}

async function cutTiles(
  image: RgbImage,
  settings: TileSettings,
  signal: AbortSignal | undefined,
): Promise<Tiles> {
  const { tileSize, useThumbnail } = settings
  const grid = closestTileGrid(image.width, image.height, settings)
  const numRegular = grid.columns * grid.rows
  const thumbnail = useThumbnail && numRegular !== 1
  const numTiles = numRegular + (thumbnail ? 1 : 0)
  const rgb = new Uint8Array(numTiles * 3 * tileSize * tileSize)
  const data = new Float32Array(rgb.length)
  const arrays = { tileSize, rgb, bits: new Uint32Array(data.buffer) }
  const targets = [tileTarget(arrays, 0, grid)]
  if (thumbnail) targets.push(tileTarget(arrays, numRegular, { columns: 1, rows: 1 }))
  await resizeBicubicInto(image, targets, signal)
  return {
    pixelValues: { data, dims: [numTiles, 3, tileSize, tileSize] },
    rgb,
    columns: grid.columns,
    rows: grid.rows,
    thumbnail,
    numTiles,
  }
}

import type { ImageInput, OpenedImage } from '../platform/image-input.js'
import type { ImageDecoder, RgbImage } from '../platform/platform.js'
import { WorkBudget } from '../platform/work-budget.js'
import { resizeBicubicSteps } from './bicubic.js'
import {
  type ImageTilerOptions,
  parseTileCallOptions,
  parseTilerOptions,
  type TileCallOptions,
  type TileSettings,
} from './image-tiler-options.js'
import { normalizePlanes } from './normalize.js'
import { createPacer, type Pause, runPaced } from './pacer.js'
import { closestTileGrid } from './tile-grid.js'
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
    const cut = (decoded: RgbImage) => cutTiles(decoded, settings, createPacer(signal))
    const work = () => this.#decoder.decodeFor(image, { applyExif, limits, signal }, cut)
    return this.#inWork.run(1, work, signal)
  }
}

async function cutTiles(image: RgbImage, settings: TileSettings, pause: Pause): Promise<Tiles> {
  const { tileSize, useThumbnail } = settings
  const { columns, rows } = closestTileGrid(image.width, image.height, settings)
  const numRegular = columns * rows
  const thumbnail = useThumbnail && numRegular !== 1
  const numTiles = numRegular + (thumbnail ? 1 : 0)
  await pause()
  const sheet = await runPaced(resizeBicubicSteps(image, columns * tileSize, rows * tileSize), pause)
  const tileBytes = 3 * tileSize * tileSize
  const rgb = new Uint8Array(numTiles * tileBytes)
  for (let tile = 0; tile < numRegular; tile++) {
    const column = tile % columns
    const row = (tile - column) / columns
    copySquare(sheet, column * tileSize, row * tileSize, tileSize, rgb, tile * tileBytes)
  }
  if (thumbnail) {
    const small = await runPaced(resizeBicubicSteps(image, tileSize, tileSize), pause)
    rgb.set(small.data, numRegular * tileBytes)
  }
  const data = await normalizeTiles(rgb, numTiles, pause)
  return {
    pixelValues: { data, dims: [numTiles, 3, tileSize, tileSize] },
    rgb,
    columns,
    rows,
    thumbnail,
    numTiles,
  }
}

async function normalizeTiles(rgb: Uint8Array, numTiles: number, pause: Pause): Promise<Float32Array> {
  const data = new Float32Array(rgb.length)
  const tileBytes = rgb.length / numTiles
  for (let start = 0; start < rgb.length; start += tileBytes) {
    normalizePlanes(rgb.subarray(start, start + tileBytes), data.subarray(start, start + tileBytes))
    await pause()
  }
  return data
}

function copySquare(
  image: RgbImage,
  left: number,
  top: number,
  size: number,
  target: Uint8Array,
  offset: number,
): void {
  const stride = image.width * 3
  for (let y = 0; y < size; y++) {
    const start = (top + y) * stride + left * 3
    target.set(image.data.subarray(start, start + size * 3), offset + y * size * 3)
  }
}

import { ImageTiler } from 'nvlm-ts'
import sharp, { type Sharp } from 'sharp'
import { syntheticPhoto } from './pictures.js'
import type { Plan } from './plan.js'

/** ms of each way from a JPEG to the pixels of the tiles. */
export interface TilingResult {
  readonly width: number
  readonly height: number
  readonly numTiles: number
  /** Decode, resize as the official code does, cut, normalise. */
  readonly nvlmMs: number[]
  /** sharp's resize to the same sizes; it lets the JPEG decoder leave pixels out. */
  readonly sharpMs: number[]
  /** The same on all pixels of the photo, as every exact resize must. */
  readonly sharpAllPixelsMs: number[]
  /** Decoding alone. */
  readonly decodeMs: number[]
}

/** Tile one photo in all ways, in turns. */
export async function benchTiling({ photo }: Plan): Promise<TilingResult> {
  const { width, height, rounds } = photo
  const jpeg = await syntheticPhoto(width, height)
  const tiler = new ImageTiler()
  const { columns, rows, thumbnail, numTiles } = await tiler.tile(jpeg)
  const { tileSize } = tiler
  const sizes: [number, number][] = [[columns * tileSize, rows * tileSize]]
  if (thumbnail) sizes.push([tileSize, tileSize])
  const resizeAll = (open: () => Sharp) =>
    Promise.all(sizes.map(([w, h]) => open().resize(w, h, { fit: 'fill', kernel: 'cubic' }).raw().toBuffer()))
  const allPixels = async () => {
    const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true })
    const raw = { width: info.width, height: info.height, channels: info.channels }
    return resizeAll(() => sharp(data, { raw }))
  }
  const result: TilingResult = {
    width,
    height,
    numTiles,
    nvlmMs: [],
    sharpMs: [],
    sharpAllPixelsMs: [],
    decodeMs: [],
  }
  for (let round = 0; round < rounds; round++) {
    result.nvlmMs.push(await time(() => tiler.tile(jpeg)))
    result.sharpMs.push(await time(() => resizeAll(() => sharp(jpeg))))
    result.sharpAllPixelsMs.push(await time(allPixels))
    result.decodeMs.push(await time(() => sharp(jpeg).raw().toBuffer()))
  }
  return result
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

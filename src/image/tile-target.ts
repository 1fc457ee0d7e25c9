import { writeNormalized } from './normalize.js'
import type { ResizeTarget } from './resample-strip.js'
import type { TileGrid } from './tile-grid.js'

/** The arrays of some tiles, to be filled. */
export interface TileArrays {
  readonly tileSize: number
  /** Uint8 [numTiles, tileSize, tileSize, 3]. */
  readonly rgb: Uint8Array
  /** The bits of float32 [numTiles, 3, tileSize, tileSize]. */
  readonly bits: Uint32Array
}

/** Cuts the rows of a resized picture into the tiles of a grid as they come, and normalises them. */
export function tileTarget(
  { tileSize, rgb, bits }: TileArrays,
  firstTile: number,
  { columns, rows }: TileGrid,
): ResizeTarget {
  const tilePixels = tileSize * tileSize
  const write = (x: number, y: number, row: Uint8Array) => {
    const firstOfRow = firstTile + Math.floor(y / tileSize) * columns
    const top = (y % tileSize) * tileSize
    for (let at = 0; at < row.length; ) {
      const column = Math.floor((x + at / 3) / tileSize)
      const left = x + at / 3 - column * tileSize
      const start = (firstOfRow + column) * tilePixels * 3
      const pixels = row.subarray(at, at + 3 * (tileSize - left))
      rgb.set(pixels, start + 3 * (top + left))
      writeNormalized(pixels, bits, start + top + left, tilePixels)
      at += pixels.length
    }
  }
  return { width: columns * tileSize, height: rows * tileSize, write }
}

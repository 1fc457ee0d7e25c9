import type { Tiles } from './tiles.js'

/** A rectangle in pixels of the picture that was tiled (after its EXIF turn, if applied); edges may lie inside a pixel. */
export interface TileBox {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/**
 * The part of the picture that each tile shows, in tile order; a thumbnail shows the whole.
 *
 * A grid stretches the picture without cropping it, so a point at fractions (u, v) of a tile lies at
 * (x + u * width, y + v * height) of the picture: this is how a box that the model names is found again.
 *
 * @param width - width of the picture in pixels
 */
export function tileBoxes(
  width: number,
  height: number,
  { columns, rows, thumbnail }: Pick<Tiles, 'columns' | 'rows' | 'thumbnail'>,
): readonly TileBox[] {
  const tileWidth = width / columns
  const tileHeight = height / rows
  const boxes = Array.from({ length: columns * rows }, (_, i) => ({
    x: (i % columns) * tileWidth,
    y: Math.floor(i / columns) * tileHeight,
    width: tileWidth,
    height: tileHeight,
  }))
  return thumbnail ? [...boxes, { x: 0, y: 0, width, height }] : boxes
}

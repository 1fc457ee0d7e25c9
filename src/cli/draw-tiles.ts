import type { Tiles } from '../image/tiles.js'
import type { RgbImage } from '../platform/platform.js'
import { drawText, GLYPH_HEIGHT, GLYPH_WIDTH } from './pixel-font.js'

type Color = readonly [number, number, number]

const LINE_COLOR: Color = [255, 0, 96]
const PAPER_COLOR: Color = [24, 24, 24]

/** The tags that NVLM-D writes before each tile; a picture of one tile has the thumbnail's. */
export function tileTags({ numTiles }: Pick<Tiles, 'numTiles'>): readonly string[] {
  const regular = Array.from({ length: numTiles - 1 }, (_, index) => `<tile_${index + 1}>`)
  return [...regular, '<tile_global_thumbnail>']
}

/** The tiles put together again, with lines between them and tags on them; the thumbnail stands apart on the right. */
export function drawTiles(tiles: Tiles): RgbImage {
  const size = tiles.pixelValues.dims[2]!
  const gap = Math.max(8, Math.round(size / 16))
  const width = tiles.columns * size + (tiles.thumbnail ? gap + size : 0)
  const canvas = new Canvas(width, tiles.rows * size)
  const tags = tileTags(tiles)
  for (let tile = 0; tile < tiles.numTiles; tile++) {
    const isThumbnail = tiles.thumbnail && tile === tiles.numTiles - 1
    const x = isThumbnail ? tiles.columns * size + gap : (tile % tiles.columns) * size
    const y = isThumbnail ? 0 : Math.floor(tile / tiles.columns) * size
    canvas.copy(tiles.rgb.subarray(tile * size * size * 3, (tile + 1) * size * size * 3), size, x, y)
    canvas.frame(x, y, size, Math.max(1, Math.round(size / 150)))
    writeTag(canvas, tags[tile]!, x, y, size)
  }
  return canvas
}

function writeTag(canvas: Canvas, tag: string, x: number, y: number, size: number): void {
  const scale = Math.max(1, Math.round(size / 150))
  const pad = 2 * scale
  const perLine = Math.max(1, Math.floor((size - 4 * pad) / ((GLYPH_WIDTH + 1) * scale)))
  const lines = tag.match(new RegExp(`.{1,${perLine}}`, 'g'))!
  lines.forEach((line, index) => {
    const top = y + pad + index * (GLYPH_HEIGHT + 3) * scale
    const lineWidth = line.length * (GLYPH_WIDTH + 1) * scale
    canvas.fill(x + pad, top, lineWidth + pad, (GLYPH_HEIGHT + 2) * scale, LINE_COLOR)
    drawText(line, scale, (dx, dy) =>
      canvas.fill(x + pad + scale + dx, top + scale + dy, scale, scale, [255, 255, 255]),
    )
  })
}

class Canvas implements RgbImage {
  readonly data: Uint8Array

  constructor(
    readonly width: number,
    readonly height: number,
  ) {
    this.data = new Uint8Array(width * height * 3)
    this.fill(0, 0, width, height, PAPER_COLOR)
  }

  /** Put a square of `size` at a place. */
  copy(rgb: Uint8Array, size: number, x: number, y: number): void {
    for (let row = 0; row < size; row++) {
      this.data.set(rgb.subarray(row * size * 3, (row + 1) * size * 3), ((y + row) * this.width + x) * 3)
    }
  }

  /** Paint a rectangle; what lies outside the canvas is left out. */
  fill(x: number, y: number, width: number, height: number, color: Color): void {
    const [right, bottom] = [Math.min(x + width, this.width), Math.min(y + height, this.height)]
    for (let row = Math.max(0, y); row < bottom; row++) {
      for (let column = Math.max(0, x); column < right; column++) {
        this.data.set(color, (row * this.width + column) * 3)
      }
    }
  }

  /** Draw the border of a square, inside it. */
  frame(x: number, y: number, size: number, thickness: number): void {
    this.fill(x, y, size, thickness, LINE_COLOR)
    this.fill(x, y + size - thickness, size, thickness, LINE_COLOR)
    this.fill(x, y, thickness, size, LINE_COLOR)
    this.fill(x + size - thickness, y, thickness, size, LINE_COLOR)
  }
}

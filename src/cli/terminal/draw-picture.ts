import { image2sixel } from 'sixel/lib/SixelEncoder.js'
import { resizeBicubic } from '../../image/bicubic.js'
import { encodePng } from '../../platform/node/encode-png.js'
import type { RgbImage } from '../../platform/platform.js'
import type { Output } from '../output.js'
import type { Graphics } from './graphics.js'
import { halfBlocks } from './half-blocks.js'

/** Cells that a picture may take: enough to know it again, and the talk stays in sight. */
const MAX_COLUMNS = 60
const MAX_ROWS = 14
/** How much larger than its pixels a small picture is shown. */
const MAX_MAGNIFICATION = 2

/** kitty takes base64 in pieces of at most this many characters. */
const KITTY_PIECE = 4096

/** Draw a picture where the cursor is; it ends at the beginning of a line below. */
export async function drawPicture(picture: RgbImage, graphics: Graphics, out: Output): Promise<void> {
  if (graphics.mode === 'blocks') {
    const { columns, rows } = fitCells(picture, { cellWidth: 1, cellHeight: 2 }, 1, out)
    out.write(halfBlocks(await resizeBicubic(picture, columns, rows * 2), out.hasTrueColors))
    return
  }
  const { columns, rows } = fitCells(picture, graphics, MAX_MAGNIFICATION, out)
  const [width, height] = [columns * graphics.cellWidth, rows * graphics.cellHeight]
  const fitted = await resizeBicubic(picture, width, height)
  out.write(`${await PROTOCOLS[graphics.mode](fitted, columns)}\n`)
}

/** Each gets a picture in the pixels of its cells, and the columns; the height follows, as the terminal's own cells have it. */
const PROTOCOLS = {
  /** @see https://sw.kovidgoyal.net/kitty/graphics-protocol/ */
  kitty: async (picture: RgbImage, columns: number) => {
    const pieces = (await base64Png(picture)).match(new RegExp(`.{1,${KITTY_PIECE}}`, 'g')) ?? []
    return pieces
      .map((piece, index) => {
        // transmit and show a PNG, without an answer
        const what = index === 0 ? `a=T,f=100,q=2,c=${columns},` : ''
        return `\u001b_G${what}m=${index < pieces.length - 1 ? 1 : 0};${piece}\u001b\\`
      })
      .join('')
  },
  /** @see https://iterm2.com/documentation-images.html */
  iterm2: async (picture: RgbImage, columns: number) => {
    return `\u001b]1337;File=inline=1;width=${columns};height=auto:${await base64Png(picture)}\u0007`
  },
  sixel: async ({ data, width, height }: RgbImage) => {
    const rgba = new Uint8Array(width * height * 4).fill(255)
    for (let pixel = 0; pixel < width * height; pixel++) {
      rgba.set(data.subarray(pixel * 3, pixel * 3 + 3), pixel * 4)
    }
    return image2sixel(rgba, width, height, 256, 1)
  },
} as const

async function base64Png(picture: RgbImage): Promise<string> {
  return Buffer.from(await encodePng(picture)).toString('base64')
}

/** The cells of a picture of that shape, not larger than it may be. */
export function fitCells(
  picture: Pick<RgbImage, 'width' | 'height'>,
  { cellWidth, cellHeight }: Pick<Graphics, 'cellWidth' | 'cellHeight'>,
  magnification: number,
  { columns: available }: Pick<Output, 'columns'>,
): { readonly columns: number; readonly rows: number } {
  const [columns, rows] = [picture.width / cellWidth, picture.height / cellHeight]
  const maxColumns = Math.max(1, Math.min(MAX_COLUMNS, available - 1))
  const scale = Math.min(magnification, maxColumns / columns, MAX_ROWS / rows)
  return {
    columns: Math.min(maxColumns, Math.max(1, Math.round(columns * scale))),
    rows: Math.max(1, Math.round(rows * scale)),
  }
}

import { writeFile } from 'node:fs/promises'
import type { Tiles } from '../image/tiles.js'
import { encodePng } from '../platform/node/encode-png.js'
import { UsageError } from './args.js'
import type { Command } from './command.js'
import { drawTiles, tileTags } from './draw-tiles.js'
import { table } from './output.js'

/** `nvlm tiles`: show how a picture is cut. */
export const tiles: Command = {
  name: 'tiles',
  operands: '<image>',
  summary: 'Cut a picture as the model sees it, and draw the tiles with their tags.',
  flags: [
    { name: 'out', value: 'file.png', help: 'picture to write' },
    { name: 'max-tiles', value: 'n', help: 'most tiles beside the thumbnail (default: 6)' },
    { name: 'tile-size', value: 'n', help: 'width and height of a tile in pixels (default: 448)' },
    { name: 'no-exif', help: 'leave the picture as it is stored, as the official code does' },
  ],
  async run(args, { api, out, signal }) {
    const image = args.only('picture')
    const file = args.text('out')
    if (file === undefined) throw new UsageError('--out <file.png> is missing')
    const cut = await api.tile(image, {
      tileSize: args.number('tile-size'),
      maxTiles: args.number('max-tiles'),
      applyExif: !args.has('no-exif'),
      signal,
    })
    const drawing = drawTiles(cut)
    await writeFile(file, await encodePng(drawing), { signal })
    out.write(
      table(out, [
        ['grid', `${cut.columns} x ${cut.rows}${cut.thumbnail ? ' and a thumbnail' : ''}`],
        ['tiles', `${cut.numTiles} of ${sizeOf(cut)}`],
        ['tags', tileTags(cut).join(' ')],
        ['written', `${file} (${drawing.width} x ${drawing.height})`],
      ]),
    )
  },
}

function sizeOf({ pixelValues }: Tiles): string {
  const size = pixelValues.dims[2]
  return `${size} x ${size} pixels`
}

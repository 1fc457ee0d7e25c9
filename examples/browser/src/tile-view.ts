import { type Tiles, tileBoxes } from 'nvlm-ts'

const SVG = 'http://www.w3.org/2000/svg'

/** The tag that the prompt has before each tile of NVLM-D. */
function tileTag(tiles: Tiles, index: number): string {
  return index === tiles.numTiles - 1 ? '<tile_global_thumbnail>' : `<tile_${index + 1}>`
}

/** Draw the grid and its tags over a picture of this size. */
export function drawOverlay(svg: SVGSVGElement, tiles: Tiles, width: number, height: number): void {
  svg.replaceChildren()
  // text keeps its size on the screen, so it is placed in fractions of the picture instead of a viewBox
  const percent = (value: number, of: number) => `${(100 * value) / of}%`
  const regular = tileBoxes(width, height, { ...tiles, thumbnail: false })
  regular.forEach((box, index) => {
    const rect = document.createElementNS(SVG, 'rect')
    rect.setAttribute('x', percent(box.x, width))
    rect.setAttribute('y', percent(box.y, height))
    rect.setAttribute('width', percent(box.width, width))
    rect.setAttribute('height', percent(box.height, height))
    const text = document.createElementNS(SVG, 'text')
    text.classList.add('tag')
    text.setAttribute('x', percent(box.x, width))
    text.setAttribute('y', percent(box.y, height))
    text.setAttribute('dx', '8')
    text.setAttribute('dy', '20')
    text.textContent = tileTag(tiles, index)
    svg.append(rect, text)
  })
}

/** Show the pixels of each tile, as the model gets them, with its tag. */
export function drawStrip(strip: HTMLElement, tiles: Tiles): void {
  const size = tiles.pixelValues.dims[2]!
  const bytes = 3 * size * size
  strip.replaceChildren()
  for (let index = 0; index < tiles.numTiles; index++) {
    const canvas = document.createElement('canvas')
    canvas.width = canvas.height = size
    const rgba = new ImageData(size, size)
    const rgb = tiles.rgb.subarray(index * bytes, (index + 1) * bytes)
    for (let from = 0, to = 0; from < bytes; from += 3, to += 4) {
      rgba.data.set(rgb.subarray(from, from + 3), to)
      rgba.data[to + 3] = 255
    }
    canvas.getContext('2d')?.putImageData(rgba, 0, 0)
    const caption = document.createElement('figcaption')
    caption.textContent = tileTag(tiles, index)
    const figure = document.createElement('figure')
    figure.append(canvas, caption)
    const item = document.createElement('li')
    item.append(figure)
    strip.append(item)
  }
}

import type { RgbImage } from '../../platform/platform.js'

const UPPER_HALF = '▀'
const RESET = '\u001b[0m'

/** Steps of the colour cube of terminals with 256 colours. */
const CUBE_LEVELS = [0, 95, 135, 175, 215, 255] as const

/**
 * A picture as characters whose upper half is one pixel and whose lower half another; its height must be even.
 *
 * @param hasTrueColors - 24 bits, else the nearest of the 216 colours of the cube
 */
export function halfBlocks({ width, height, data }: RgbImage, hasTrueColors: boolean): string {
  const colorOf = hasTrueColors ? trueColor : cubeColor
  const at = (x: number, y: number) => colorOf(data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3))
  let text = ''
  for (let y = 0; y < height; y += 2) {
    let last = ''
    for (let x = 0; x < width; x++) {
      const colors = `\u001b[38;${at(x, y)};48;${at(x, y + 1)}m`
      text += (colors === last ? '' : colors) + UPPER_HALF
      last = colors
    }
    text += `${RESET}\n`
  }
  return text
}

function trueColor(rgb: Uint8Array): string {
  return `2;${rgb.join(';')}`
}

function cubeColor(rgb: Uint8Array): string {
  const [red, green, blue] = Array.from(rgb, nearestLevel)
  return `5;${16 + 36 * red! + 6 * green! + blue!}`
}

function nearestLevel(value: number): number {
  const distances = CUBE_LEVELS.map(level => Math.abs(level - value))
  return distances.indexOf(Math.min(...distances))
}

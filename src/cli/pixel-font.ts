import { invariant } from '../core/errors.js'

/** Pixels of a glyph, without the column between two. */
export const GLYPH_WIDTH = 5
export const GLYPH_HEIGHT = 7

/** The characters of tile tags, drawn by hand: rows from top to bottom, `#` is ink. */
const GLYPHS: Readonly<Record<string, string>> = {
  '0': '.###. #...# #..## #.#.# ##..# #...# .###.',
  '1': '..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.',
  '2': '.###. #...# ....# ...#. ..#.. .#... #####',
  '3': '##### ...#. ..#.. ...#. ....# #...# .###.',
  '4': '...#. ..##. .#.#. #..#. ##### ...#. ...#.',
  '5': '##### #.... ####. ....# ....# #...# .###.',
  '6': '..##. .#... #.... ####. #...# #...# .###.',
  '7': '##### ....# ...#. ..#.. .#... .#... .#...',
  '8': '.###. #...# #...# .###. #...# #...# .###.',
  '9': '.###. #...# #...# .#### ....# ...#. .##..',
  '<': '...#. ..#.. .#... #.... .#... ..#.. ...#.',
  '>': '.#... ..#.. ...#. ....# ...#. ..#.. .#...',
  _: '..... ..... ..... ..... ..... ..... #####',
  a: '..... ..... .###. ....# .#### #...# .####',
  b: '#.... #.... #.##. ##..# #...# #...# ####.',
  e: '..... ..... .###. #...# ##### #.... .###.',
  g: '..... ..... .#### #...# .#### ....# .###.',
  h: '#.... #.... #.##. ##..# #...# #...# #...#',
  i: '..#.. ..... .##.. ..#.. ..#.. ..#.. .###.',
  l: '.##.. ..#.. ..#.. ..#.. ..#.. ..#.. .###.',
  m: '..... ..... ##.#. #.#.# #.#.# #...# #...#',
  n: '..... ..... #.##. ##..# #...# #...# #...#',
  o: '..... ..... .###. #...# #...# #...# .###.',
  t: '.#... .#... ###.. .#... .#... .#..# ..##.',
  u: '..... ..... #...# #...# #...# #..## .##.#',
}

/** Call `plot` with the place of each inked block; blocks are `scale` pixels wide and high. */
export function drawText(text: string, scale: number, plot: (x: number, y: number) => void): void {
  ;[...text].forEach((character, index) => {
    const glyph = GLYPHS[character]
    invariant(glyph, `the tag font has "${character}"`)
    glyph.split(' ').forEach((row, y) => {
      for (let x = 0; x < GLYPH_WIDTH; x++) {
        if (row[x] === '#') plot((index * (GLYPH_WIDTH + 1) + x) * scale, y * scale)
      }
    })
  })
}

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tileBoxes } from '../../src/image/tile-boxes.js'

test('names the part that each tile shows, row by row, and the whole for the thumbnail', () => {
  expect(tileBoxes(600, 300, { columns: 2, rows: 1, thumbnail: true })).toEqual([
    { x: 0, y: 0, width: 300, height: 300 },
    { x: 300, y: 0, width: 300, height: 300 },
    { x: 0, y: 0, width: 600, height: 300 },
  ])
})

test('covers the picture once without gaps', () => {
  const count = fc.integer({ min: 1, max: 12 })
  const side = fc.integer({ min: 1, max: 20_000 })
  fc.assert(
    fc.property(side, side, count, count, (width, height, columns, rows) => {
      const boxes = tileBoxes(width, height, { columns, rows, thumbnail: false })
      expect(boxes).toHaveLength(columns * rows)
      boxes.forEach((box, i) => {
        const right = boxes[i + 1]
        if ((i + 1) % columns !== 0) expect(right!.x).toBeCloseTo(box.x + box.width, 6)
        const below = boxes[i + columns]
        if (below !== undefined) expect(below.y).toBeCloseTo(box.y + box.height, 6)
      })
      const last = boxes.at(-1)!
      expect(last.x + last.width).toBeCloseTo(width, 6)
      expect(last.y + last.height).toBeCloseTo(height, 6)
    }),
  )
})

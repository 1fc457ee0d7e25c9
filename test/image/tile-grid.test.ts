import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { candidateGrids, closestTileGrid } from '../../src/image/tile-grid.js'
import { goldenBytes, goldenRows } from './golden.js'

const options = { minTiles: 1, maxTiles: 6, tileSize: 448 }
const side = fc.integer({ min: 1, max: 20_000 })

function grid(width: number, height: number, given: Partial<typeof options> = {}) {
  const { columns, rows } = closestTileGrid(width, height, { ...options, ...given })
  return [columns, rows]
}

describe('chooses the grid of the official code', () => {
  test('for any tile size, least and most tiles', () => {
    for (const row of goldenRows<number[]>('grids.json')) {
      const [width, height, minTiles, maxTiles, tileSize, columns, rows] = row as [
        number,
        number,
        number,
        number,
        number,
        number,
        number,
      ]
      expect(grid(width, height, { minTiles, maxTiles, tileSize }), `${row}`).toEqual([columns, rows])
    }
  })

  test('for 720 sizes and most tiles', () => {
    for (const row of goldenRows<number[]>('sweep.json')) {
      const [width, height, maxTiles, columns, rows] = row as [number, number, number, number, number]
      expect(grid(width, height, { maxTiles }), `${row}`).toEqual([columns, rows])
    }
  })

  test('for common sizes', () => {
    for (const row of goldenRows<number[]>('cases.json')) {
      const [width, height, columns, rows] = row as [number, number, number, number]
      expect(grid(width, height), `${row}`).toEqual([columns, rows])
    }
  })
})

test('takes the larger of two grids with one shape only if it is more than half filled', () => {
  expect(grid(633, 633)).toEqual([1, 1])
  expect(grid(634, 634)).toEqual([2, 2])
})

test('takes the midpoint between two shapes by the same rule', () => {
  expect(grid(500, 400)).toEqual([1, 1])
  expect(grid(1250, 1000)).toEqual([3, 2])
})

test('gives absurdly long pictures the longest grid', () => {
  expect(grid(1, 20_000)).toEqual([1, 6])
  expect(grid(20_000, 1)).toEqual([6, 1])
  expect(grid(1, 1)).toEqual([1, 1])
})

test('knows the candidates of the official code, fewer tiles first', () => {
  const official = JSON.parse(new TextDecoder().decode(goldenBytes('candidates.json'))) as [number, number][]
  for (let maxTiles = 1; maxTiles <= 40; maxTiles++) {
    const own = candidateGrids(1, maxTiles).map(({ columns, rows }) => [columns, rows])
    const expected = official.filter(([columns, rows]) => columns * rows <= maxTiles)
    expect(new Set(own.map(String))).toEqual(new Set(expected.map(String)))
    expect(own.map(([columns, rows]) => columns! * rows!)).toEqual(
      expected.map(([columns, rows]) => columns * rows),
    )
  }
})

test('has no neighbouring shapes of one size, so that the order among grids of one size never matters', () => {
  for (let maxTiles = 1; maxTiles <= 40; maxTiles++) {
    const smallest = new Map<number, number>()
    for (const { columns, rows } of candidateGrids(1, maxTiles)) {
      const ratio = columns / rows
      if (!smallest.has(ratio)) smallest.set(ratio, columns * rows)
    }
    const sizes = [...smallest].sort(([a], [b]) => a - b).map(([, size]) => size)
    expect(sizes.some((size, i) => size === sizes[i + 1])).toBe(false)
  }
})

test('stays within the tile budget for any picture', () => {
  fc.assert(
    fc.property(
      side,
      side,
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 0, max: 39 }),
      (width, height, maxTiles, less) => {
        const minTiles = Math.max(1, maxTiles - less)
        const [columns, rows] = grid(width, height, { minTiles, maxTiles })
        expect(columns! * rows!).toBeLessThanOrEqual(maxTiles)
        expect(columns! * rows!).toBeGreaterThanOrEqual(minTiles)
      },
    ),
  )
})

/** How many columns and rows of tiles. */
export interface TileGrid {
  readonly columns: number
  readonly rows: number
}

/** Bounds of the number of tiles in a grid, the thumbnail not counted. */
export interface TileGridOptions {
  readonly minTiles: number
  readonly maxTiles: number
  /** Width and height of a tile in pixels. */
  readonly tileSize: number
}

/** All grids of `minTiles` to `maxTiles` tiles, fewer tiles first, then fewer columns first. */
export function candidateGrids(minTiles: number, maxTiles: number): readonly TileGrid[] {
  const grids: TileGrid[] = []
  for (let numTiles = minTiles; numTiles <= maxTiles; numTiles++) {
    for (let columns = 1; columns <= numTiles; columns++) {
      if (numTiles % columns === 0) grids.push({ columns, rows: numTiles / columns })
    }
  }
  return grids
}

/**
 * Choose the grid whose aspect ratio is nearest to the image's.
 *
 * On a tie the larger grid wins only if the image has more than half of that grid's pixels, so that a small
 * image is not blown up into many blurry tiles. The official order among grids of one size is that of a Python
 * set; it never matters, because no two neighbouring ratios belong to grids of one size (checked up to 40 tiles).
 *
 * @param width - image width in pixels
 * @see OpenGVLab/InternVL `internvl_chat/internvl/train/dataset.py`, `find_closest_aspect_ratio`
 */
export function closestTileGrid(width: number, height: number, options: TileGridOptions): TileGrid {
  const aspectRatio = width / height
  const halfTile = 0.5 * options.tileSize * options.tileSize
  let best: TileGrid = { columns: 1, rows: 1 }
  let bestDistance = Number.POSITIVE_INFINITY
  for (const grid of candidateGrids(options.minTiles, options.maxTiles)) {
    const distance = Math.abs(aspectRatio - grid.columns / grid.rows)
    const isTieForLarge = distance === bestDistance && width * height > halfTile * grid.columns * grid.rows
    if (distance < bestDistance || isTieForLarge) {
      best = grid
      bestDistance = distance
    }
  }
  return best
}

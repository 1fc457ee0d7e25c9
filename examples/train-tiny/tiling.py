"""The official NVLM-D tiling (dynamic_preprocess of the model card), for any tile size."""

import numpy as np

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)


def closest_grid(width, height, tile, max_tiles):
    """(columns, rows) whose aspect ratio is nearest to the picture's; ties go to large pictures only."""
    grids = {(c, r) for c in range(1, max_tiles + 1) for r in range(1, max_tiles + 1) if c * r <= max_tiles}
    best, best_difference = (1, 1), float("inf")
    for columns, rows in sorted(grids, key=lambda g: g[0] * g[1]):
        difference = abs(width / height - columns / rows)
        if difference < best_difference:
            best, best_difference = (columns, rows), difference
        elif difference == best_difference and width * height > 0.5 * tile * tile * columns * rows:
            best = (columns, rows)
    return best


def tile_picture(picture, tile, max_tiles=6):
    """
    Cut a picture as the model sees it.

    Returns uint8 [numTiles, tile, tile, 3] and, for each tile, the box (x0, y0, x1, y1) of the picture it shows,
    in picture pixels. The thumbnail is last; a picture of one tile has none.
    """
    width, height = picture.size
    columns, rows = closest_grid(width, height, tile, max_tiles)
    whole = np.asarray(picture.resize((tile * columns, tile * rows)))
    tiles, boxes = [], []
    for row in range(rows):
        for column in range(columns):
            tiles.append(whole[row * tile:(row + 1) * tile, column * tile:(column + 1) * tile])
            boxes.append((width * column / columns, height * row / rows, width * (column + 1) / columns, height * (row + 1) / rows))
    if len(tiles) != 1:
        tiles.append(np.asarray(picture.resize((tile, tile))))
        boxes.append((0, 0, width, height))
    return np.stack(tiles), boxes


def normalise(tiles):
    """float32 [numTiles, 3, tile, tile] with ImageNet mean and deviation."""
    return ((tiles.astype(np.float32) / np.float32(255) - MEAN) / STD).transpose(0, 3, 1, 2)

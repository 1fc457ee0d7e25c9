import { NVLMError } from '../core/errors.js'
import type { CrossImage } from './decoder-state.js'
import type { EmbeddingTable } from './embedding-table.js'

/** Rows of a picture, counted from its first. */
export interface RowSpan {
  readonly first: number
  readonly count: number
}

/** What keys and values of a picture are made of. */
export interface CrossRows {
  /** float32 [rows, hiddenSize]: for each tile the embeddings of its tag, if it has one, and its own. */
  readonly data: Float32Array
  /** The rows of each tile. */
  readonly tiles: readonly RowSpan[]
}

/** Lay out the rows of a picture. */
export async function crossRows(
  { embeds, numTiles, tagIds }: CrossImage,
  embeddings: EmbeddingTable,
): Promise<CrossRows> {
  const { hiddenSize } = embeddings
  const tileLength = embeds.data.length / numTiles
  const tags: Float32Array[] = []
  for (const ids of tagIds) tags.push(await embeddings.lookUp(ids))
  const data = new Float32Array(tags.reduce((sum, tag) => sum + tag.length, embeds.data.length))
  const tiles: RowSpan[] = []
  let at = 0
  for (let tile = 0; tile < numTiles; tile++) {
    const first = at
    for (const part of [tags[tile], embeds.data.subarray(tile * tileLength, (tile + 1) * tileLength)]) {
      if (part === undefined) continue
      data.set(part, at)
      at += part.length
    }
    tiles.push({ first: first / hiddenSize, count: (at - first) / hiddenSize })
  }
  return { data, tiles }
}

/**
 * Check pictures before anything is computed.
 *
 * @param shape - undefined for a decoder without cross-attention
 * @param numTokens - of the call that they come with
 * @throws {NVLMError} INVALID_OPTION saying what was expected
 */
export function checkCrossImages(
  images: readonly CrossImage[],
  shape: { readonly hiddenSize: number } | undefined,
  numTokens: number,
): void {
  if (images.length === 0) return
  if (shape === undefined) {
    throw new NVLMError('INVALID_OPTION', 'crossImages: this decoder has no cross-attention', {
      hint: 'Give the image embeddings as imageEmbeds, in place of the image tokens.',
    })
  }
  for (const [index, image] of images.entries()) {
    const problem = problemOf(image, shape.hiddenSize, numTokens)
    if (problem !== undefined) throw new NVLMError('INVALID_OPTION', `crossImages[${index}]: ${problem}`)
  }
}

function problemOf(image: CrossImage, hiddenSize: number, numTokens: number): string | undefined {
  const { embeds, numTiles, tagIds, visibleFrom, tags } = image
  const [numRows = 0, width] = embeds.dims
  const isWhole =
    embeds.dims.length === 2 && width === hiddenSize && embeds.data.length === numRows * hiddenSize
  if (!isWhole || !(numTiles >= 1) || numRows === 0 || numRows % numTiles !== 0)
    return `embeds [${embeds.dims.join(', ')}] of ${numTiles} tiles; expected [tiles * rows of a tile, ${hiddenSize}]`
  if (tagIds.length !== 0 && tagIds.length !== numTiles)
    return `tagIds of ${tagIds.length} tiles; expected ${numTiles}, or none`
  if (!Number.isInteger(visibleFrom) || visibleFrom < 0 || visibleFrom > numTokens)
    return `visibleFrom ${visibleFrom}; expected an integer from 0 to ${numTokens}`
  const isPlace = (place: number, most: number) => Number.isInteger(place) && place >= 0 && place <= most
  const wrong = tags.find(
    ({ start, end, tile }) =>
      !isPlace(end, numTokens) || !isPlace(start, end) || !isPlace(tile, numTiles - 1),
  )
  return (
    wrong &&
    `tag [${wrong.start}, ${wrong.end}) of tile ${wrong.tile}; expected places and a tile that are there`
  )
}

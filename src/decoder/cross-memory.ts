import type { BackendTensor, Session } from '../backend/backend.js'
import { assertFinite } from '../core/assert-finite.js'
import { NVLMError } from '../core/errors.js'
import type { CrossImage } from './decoder-state.js'
import type { EmbeddingTable } from './embedding-table.js'

/** What the pictures of all sequences of one decoder share. */
export interface CrossParts {
  /** The cross-keys graph. */
  readonly session: Session
  readonly embeddings: EmbeddingTable
  readonly shape: CrossShape
}

/** Sizes of the keys and values. */
export interface CrossShape {
  /** Layers with cross-attention. */
  readonly layers: readonly number[]
  readonly numKeyValueHeads: number
  readonly headDim: number
  readonly hiddenSize: number
}

/** Rows of a picture, counted from its first. */
interface RowSpan {
  readonly first: number
  readonly count: number
}

/** A picture whose keys and values are there. Never changed, so that sequences can share it. */
interface HeldImage {
  readonly rows: number
  /** By name: float32 [keyValueHeads, rows, headDim]. */
  readonly values: ReadonlyMap<string, Float32Array>
  /** Place in the sequence from which on tokens see all of it. */
  readonly visibleFrom: number
  /** Places [start, end) that see these rows only. */
  readonly tags: readonly { readonly start: number; readonly end: number; readonly rows: RowSpan }[]
}

/** Additive mask value: exp gives exactly 0, and sums stay finite. */
const MASKED = -1e30

/**
 * The pictures that a sequence looks at by cross-attention: their keys and values, computed once a picture, and which token
 * sees which of their rows.
 */
export class CrossMemory {
  /** Keys and values of all pictures behind each other, until the next change. */
  private joined: Readonly<Record<string, BackendTensor>> | undefined

  /** @param images - in order of appearance */
  constructor(
    private readonly parts: CrossParts,
    private images: readonly HeldImage[] = [],
  ) {}

  /** Memory of the keys and values. Sequences that were forked from one another share what they have in common. */
  get byteLength(): number {
    const { layers, numKeyValueHeads, headDim } = this.parts.shape
    return this.numRows * layers.length * 2 * numKeyValueHeads * headDim * Float32Array.BYTES_PER_ELEMENT
  }

  /**
   * Compute the keys and values of pictures.
   *
   * @param firstPlace - place of the token that the pictures' own places count from
   * @param signal - looked at between pictures
   */
  async add(images: readonly CrossImage[], firstPlace: number, signal?: AbortSignal): Promise<void> {
    for (const image of images) {
      signal?.throwIfAborted()
      const held = await this.compute(image, firstPlace)
      this.images = [...this.images, held]
      this.joined = undefined
    }
  }

  /** Inputs of the decoder graph for the tokens [place, place + length). */
  feeds(place: number, length: number): Record<string, BackendTensor> {
    this.joined ??= this.join()
    const numRows = Math.max(1, this.numRows)
    const mask = new Float32Array(length * numRows).fill(MASKED)
    const sight = new Float32Array(length)
    for (let token = 0; token < length; token++) {
      for (const { first, count } of this.visibleRows(place + token)) {
        mask.fill(0, token * numRows + first, token * numRows + first + count)
        sight[token] = 1
      }
    }
    return {
      ...this.joined,
      crossMask: { type: 'float32', data: mask, dims: [length, numRows] },
      crossSight: { type: 'float32', data: sight, dims: [length, 1] },
    }
  }

  /** Forget the pictures that no token before `length` sees whole. */
  truncate(length: number): void {
    this.images = this.images.filter(({ visibleFrom }) => visibleFrom < length)
    this.joined = undefined
  }

  /** A memory of its own with the pictures that a token before `length` sees whole. */
  fork(length: number): CrossMemory {
    const copy = new CrossMemory(this.parts, this.images)
    copy.truncate(length)
    return copy
  }

  dispose(): void {
    this.images = []
    this.joined = undefined
  }

  private get numRows(): number {
    return this.images.reduce((sum, { rows }) => sum + rows, 0)
  }

  /** Rows that the token at a place sees, counted over all pictures. */
  private visibleRows(place: number): readonly RowSpan[] {
    const visible: RowSpan[] = []
    let first = 0
    for (const { rows, visibleFrom, tags } of this.images) {
      const tag = tags.find(({ start, end }) => start <= place && place < end)
      if (tag !== undefined) return [{ first: first + tag.rows.first, count: tag.rows.count }]
      if (visibleFrom <= place) visible.push({ first, count: rows })
      first += rows
    }
    return visible
  }

  private async compute(image: CrossImage, firstPlace: number): Promise<HeldImage> {
    const { session, shape } = this.parts
    const { data, tiles } = await this.rowsOf(image)
    const rows = data.length / shape.hiddenSize
    const outputs = await session.run({
      crossEmbeds: { type: 'float32', data, dims: [rows, shape.hiddenSize] },
    })
    const values = new Map<string, Float32Array>()
    for (const name of crossNames(shape)) {
      const output = outputs[name]!.data as Float32Array
      assertFinite(output, `decoder: ${name} of a picture`)
      values.set(name, output)
    }
    return {
      rows,
      values,
      visibleFrom: firstPlace + image.visibleFrom,
      tags: image.tags.map(({ start, end, tile }) => ({
        start: firstPlace + start,
        end: firstPlace + end,
        rows: tiles[tile]!,
      })),
    }
  }

  /** What keys and values are made of: for each tile the embeddings of its tag, if it has one, and its own. */
  private async rowsOf({ embeds, numTiles, tagIds }: CrossImage): Promise<{
    readonly data: Float32Array
    readonly tiles: readonly RowSpan[]
  }> {
    const { embeddings, shape } = this.parts
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
      tiles.push({ first: first / shape.hiddenSize, count: (at - first) / shape.hiddenSize })
    }
    return { data, tiles }
  }

  /** Without a picture one row of zeros, which no token sees: engines may refuse tensors without elements. */
  private join(): Record<string, BackendTensor> {
    const { shape } = this.parts
    const { numKeyValueHeads, headDim } = shape
    const numRows = Math.max(1, this.numRows)
    const dims = [numKeyValueHeads, numRows, headDim]
    const tensor = (name: string): BackendTensor => {
      const [only, ...others] = this.images
      if (only !== undefined && others.length === 0)
        return { type: 'float32', data: only.values.get(name)!, dims }
      const data = new Float32Array(numKeyValueHeads * numRows * headDim)
      for (let head = 0; head < numKeyValueHeads; head++) {
        let at = head * numRows * headDim
        for (const { values, rows } of this.images) {
          const length = rows * headDim
          data.set(values.get(name)!.subarray(head * length, (head + 1) * length), at)
          at += length
        }
      }
      return { type: 'float32', data, dims }
    }
    return Object.fromEntries(crossNames(shape).map(name => [name, tensor(name)]))
  }
}

function crossNames({ layers }: CrossShape): readonly string[] {
  return layers.flatMap(layer => [`crossKey.${layer}`, `crossValue.${layer}`])
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
  shape: CrossShape | undefined,
  numTokens: number,
): void {
  if (images.length === 0) return
  if (shape === undefined) {
    throw new NVLMError('INVALID_OPTION', 'crossImages: this decoder has no cross-attention', {
      hint: 'Give the image embeddings as imageEmbeds, in place of the image tokens.',
    })
  }
  for (const [index, image] of images.entries()) {
    const problem = problemOf(image, shape, numTokens)
    if (problem !== undefined) throw new NVLMError('INVALID_OPTION', `crossImages[${index}]: ${problem}`)
  }
}

function problemOf(image: CrossImage, { hiddenSize }: CrossShape, numTokens: number): string | undefined {
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

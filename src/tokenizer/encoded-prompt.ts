import type { PromptPiece } from './prompt-format.js'

/** A prompt as token ids, and where its pictures lie. */
export interface EncodedPrompt {
  readonly inputIds: readonly number[]
  /** In order of appearance; empty for a model that has its pictures in the token sequence alone. */
  readonly pictures: readonly PicturePlaces[]
}

/** Where the tokens of one picture lie, and what they see by cross-attention. Places count from 0. */
export interface PicturePlaces {
  /** Its tokens: [start, end). */
  readonly start: number
  readonly end: number
  /** The first token that sees all its tiles, as all tokens after it do; those before that are no tags see none. */
  readonly visibleFrom: number
  /** Tokens [start, end) that see one tile and nothing else. */
  readonly tags: readonly TagPlaces[]
  /** Token ids whose embeddings stand before each tile among the keys and values; empty where none do. */
  readonly crossIds: readonly (readonly number[])[]
}

/** The tokens of one tile's tag. */
export interface TagPlaces {
  readonly start: number
  readonly end: number
  /** Counted from 0. */
  readonly tile: number
}

/**
 * Encode pieces, those of pictures seen by cross-attention each on its own, so that every token belongs to one of them.
 *
 * @param encode - encodes neighbouring pieces as one text
 * @param firstIds - what every prompt begins with
 */
export function encodeWithPlaces(
  pieces: readonly PromptPiece[],
  encode: (pieces: readonly PromptPiece[]) => readonly number[],
  firstIds: readonly number[],
): EncodedPrompt {
  const inputIds = [...firstIds]
  const pictures: Writable<PicturePlaces>[] = []
  let plain: PromptPiece[] = []
  const flush = () => {
    for (const id of encode(plain)) inputIds.push(id)
    plain = []
  }
  for (const piece of pieces) {
    if (piece.sees === undefined) {
      plain.push(piece)
      continue
    }
    flush()
    const start = inputIds.length
    for (const id of encode([piece])) inputIds.push(id)
    const end = inputIds.length
    if (piece.sees === 'earlier') {
      pictures.push({ start, end, visibleFrom: Number.POSITIVE_INFINITY, tags: [], crossIds: [] })
    }
    const picture = pictures.at(-1)!
    picture.end = end
    if (piece.sees === 'all') picture.visibleFrom = Math.min(picture.visibleFrom, start)
    if (typeof piece.sees === 'number') picture.tags = [...picture.tags, { start, end, tile: piece.sees }]
  }
  flush()
  return { inputIds, pictures }
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

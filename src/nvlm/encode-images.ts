import type { FloatTensor } from '../core/tensor.js'
import type { CrossImage, PrefillInput } from '../decoder/decoder-state.js'
import { numCrossTiles } from '../models/fusion.js'
import type { PicturePlaces } from '../tokenizer/encoded-prompt.js'
import type { RunHooks } from './engine-client.js'
import type { Picture } from './pictures.js'
import type { PromptInput } from './prompt-input.js'
import type { RunClock } from './run-clock.js'
import type { RunContext } from './run-context.js'
import type { ModelInfo } from './stages.js'

/** The part of a prompt's input that comes from its pictures. */
export type ImageInput = Pick<PrefillInput, 'imageEmbeds' | 'crossImages'>

/**
 * What the decoder needs of a prompt's pictures, once it holds the first `numCached` places.
 *
 * Pictures that the decoder has read already, or whose embeddings are kept, cost nothing: the clock does not even
 * enter the stage.
 *
 * @returns imageEmbeds float32 [image tokens behind `numCached`, hiddenSize], undefined if there are none; and the
 * pictures that tokens behind it are the first to see by cross-attention
 */
export async function encodeImages(
  { pictures, nextTurn, stages }: RunContext,
  prompt: PromptInput,
  numCached: number,
  { signal, onEvent }: RunHooks,
  clock: RunClock,
): Promise<ImageInput> {
  const tokensPerTile = stages.info.tile?.tokens ?? 0
  const needed = neededImages(prompt, numCached, stages.info)
  const newPictures = needed.filter(({ picture }) => !pictures.isEncoded(picture))
  const total = new Set(newPictures.map(({ picture }) => picture.key)).size
  const embedsByKey = new Map<string, FloatTensor>()
  const report = (picture: Picture, cached: boolean) => {
    const index = prompt.pictures.indexOf(picture)
    const { numTiles: tiles } = picture
    onEvent({ type: 'image', index, tiles, tokens: numImageTokens(stages.info, tiles), cached })
  }
  for (const picture of prompt.pictures.slice(0, prompt.pictures.length - needed.length))
    report(picture, true)
  let done = 0
  for (const { picture } of needed) {
    signal.throwIfAborted()
    if (embedsByKey.has(picture.key)) {
      report(picture, true)
      continue
    }
    const isNew = !pictures.isEncoded(picture)
    if (isNew) clock.enter('vision')
    embedsByKey.set(picture.key, await pictures.encode(picture, signal))
    report(picture, !isNew)
    if (!isNew) continue
    onEvent({ type: 'progress', stage: 'vision', done: ++done, total })
    await nextTurn()
  }
  const embedsOf = ({ picture }: NeededImage) => embedsByKey.get(picture.key)!
  const rows = needed.flatMap(one => sequenceRows(one, embedsOf(one), tokensPerTile))
  const crossImages = needed.flatMap(one => crossImage(one, embedsOf(one), tokensPerTile, numCached))
  return {
    ...(rows.length > 0 && { imageEmbeds: concatRows(rows) }),
    ...(crossImages.length > 0 && { crossImages }),
  }
}

/** A picture that has not been read whole yet. */
interface NeededImage {
  readonly picture: Picture
  /** Its first tiles that are seen by cross-attention, if that is still to begin. */
  readonly cross: { readonly numTiles: number; readonly places: PicturePlaces } | undefined
  /** Tiles and rows of its sequence part, and how many of those rows have been read. */
  readonly sequence: { readonly firstTile: number; readonly numRows: number; readonly numRead: number }
}

function neededImages(prompt: PromptInput, numCached: number, info: ModelInfo): readonly NeededImage[] {
  const { fusion = 'self-attention' } = info
  let numSkipped = prompt.embedPlaces.filter(place => place < numCached).length
  return prompt.pictures.flatMap((picture, index) => {
    const firstTile = numCrossTiles(fusion, picture.numTiles)
    const numRows = numImageTokens(info, picture.numTiles)
    const numRead = Math.min(numSkipped, numRows)
    numSkipped -= numRead
    const places = prompt.places[index]
    const isSeenLater = places !== undefined && firstTile > 0 && places.visibleFrom >= numCached
    if (numRead === numRows && !isSeenLater) return []
    const cross = isSeenLater ? { numTiles: firstTile, places } : undefined
    return [{ picture, cross, sequence: { firstTile, numRows, numRead } }]
  })
}

function sequenceRows(
  { sequence: { firstTile, numRows, numRead } }: NeededImage,
  { data, dims: [, width = 0] }: FloatTensor,
  tokensPerTile: number,
): readonly FloatTensor[] {
  if (numRead === numRows) return []
  const firstRow = firstTile * tokensPerTile + numRead
  return [{ data: data.subarray(firstRow * width), dims: [numRows - numRead, width] }]
}

/** Its places counted from the first token that the decoder does not hold. */
function crossImage(
  { cross }: NeededImage,
  { data, dims: [, width = 0] }: FloatTensor,
  tokensPerTile: number,
  numCached: number,
): readonly CrossImage[] {
  if (cross === undefined) return []
  const { numTiles, places } = cross
  const numRows = numTiles * tokensPerTile
  const image: CrossImage = {
    embeds: { data: data.subarray(0, numRows * width), dims: [numRows, width] },
    numTiles,
    tagIds: places.crossIds,
    visibleFrom: places.visibleFrom - numCached,
    tags: places.tags.flatMap(({ start, end, tile }) =>
      end > numCached ? [{ start: Math.max(0, start - numCached), end: end - numCached, tile }] : [],
    ),
  }
  return [image]
}

/** Tokens of a prompt that are embeddings of a picture's tiles. */
export function numImageTokens({ fusion = 'self-attention', tile }: ModelInfo, numTiles: number): number {
  return (numTiles - numCrossTiles(fusion, numTiles)) * (tile?.tokens ?? 0)
}

/** One tensor with the rows of all, without a copy when there is only one. */
function concatRows(tensors: readonly FloatTensor[]): FloatTensor {
  const [first] = tensors
  if (tensors.length === 1 && first) return first
  const data = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.data.length, 0))
  let offset = 0
  for (const tensor of tensors) {
    data.set(tensor.data, offset)
    offset += tensor.data.length
  }
  const numRows = tensors.reduce((sum, { dims }) => sum + dims[0]!, 0)
  return { data, dims: [numRows, ...first!.dims.slice(1)] }
}

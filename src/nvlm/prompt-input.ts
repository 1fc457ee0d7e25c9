import type { PicturePlaces } from '../tokenizer/encoded-prompt.js'
import type { ContentPart } from '../tokenizer/messages.js'
import { numImageTokens } from './encode-images.js'
import type { PromptRequest, TileOptions } from './engine-client.js'
import type { EngineStages } from './engine-stages.js'
import type { Picture, Pictures } from './pictures.js'
import type { PlaceKey } from './prefix-cache.js'
import type { ModelInfo } from './stages.js'

/** A prompt ready for the model. */
export interface PromptInput {
  readonly inputIds: readonly number[]
  /** What lies at each place: `inputIds`, with pictures' keys where tokens are their embeddings or see them alone. */
  readonly keys: readonly PlaceKey[]
  /** The pictures, in order of appearance. */
  readonly pictures: readonly Picture[]
  /** Where they lie, for a model that looks at them by cross-attention; else empty. */
  readonly places: readonly PicturePlaces[]
  /** Places of the tokens that are image embeddings, ascending. */
  readonly embedPlaces: readonly number[]
}

/**
 * Read the pictures and write the prompt.
 *
 * @param signal - looked at between pictures
 * @throws {NVLMError} UNSUPPORTED for pictures to a model of text, IMAGE_* for a bad picture, INVALID_OPTION for misplaced roles
 */
export async function preparePrompt(
  stages: EngineStages,
  store: Pictures,
  request: PromptRequest,
  signal: AbortSignal,
): Promise<PromptInput> {
  const pictures: Picture[] = []
  for (const { image, tiles } of collectImages(request)) {
    signal.throwIfAborted()
    pictures.push(await store.open(image, { ...tiles, applyExif: request.applyExif }, signal))
  }
  const tileCounts = pictures.map(({ numTiles }) => numTiles)
  const encoded = stages.tokenizer.placePrompt(request.messages, tileCounts, request.tools)
  const { inputIds, pictures: places } = encoded
  const { imageTokenId } = stages.tokenizer
  const embedPlaces = inputIds.flatMap((id, place) => (id === imageTokenId ? [place] : []))
  const keys = placeKeys(inputIds, pictures, { places, embedPlaces }, stages.info)
  return { inputIds, keys, pictures, places, embedPlaces }
}

function placeKeys(
  inputIds: readonly number[],
  pictures: readonly Picture[],
  { places, embedPlaces }: Pick<PromptInput, 'places' | 'embedPlaces'>,
  info: ModelInfo,
): readonly PlaceKey[] {
  const keys: PlaceKey[] = [...inputIds]
  for (const [index, { start, end }] of places.entries()) {
    // without a picture in the sequence only these keys tell two pictures of equally many tiles apart
    for (let place = start; place < end; place++) keys[place] = `${pictures[index]!.key} ${inputIds[place]}`
  }
  const imageKeys = pictures.flatMap(({ key, numTiles }) =>
    new Array<string>(numImageTokens(info, numTiles)).fill(key),
  )
  for (const [index, place] of embedPlaces.entries()) keys[place] = imageKeys[index] ?? inputIds[place]!
  return keys
}

/** A picture and how it is cut. */
export interface PlacedImage {
  readonly image: unknown
  readonly tiles: TileOptions | undefined
}

/** Pictures of a conversation in order of appearance. */
export function collectImages({ messages, tiles }: PromptRequest): readonly PlacedImage[] {
  return messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.flatMap(part => imageOf(part, tiles)),
  )
}

function imageOf(part: ContentPart, tiles: TileOptions | undefined): readonly PlacedImage[] {
  if (part.type === 'text') return []
  if (part.type === 'image') return [{ image: part.image, tiles: part.tiles ?? tiles }]
  if (typeof part.image_url === 'string') return [{ image: part.image_url, tiles }]
  const { url, detail } = part.image_url
  return [{ image: url, tiles: detail === 'low' ? { ...tiles, maxTiles: 1, minTiles: 1 } : tiles }]
}

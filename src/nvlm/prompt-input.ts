import type { ContentPart } from '../tokenizer/messages.js'
import type { PromptRequest, TileOptions } from './engine-client.js'
import type { EngineStages } from './engine-stages.js'
import type { Picture, Pictures } from './pictures.js'
import type { PlaceKey } from './prefix-cache.js'

/** A prompt ready for the model. */
export interface PromptInput {
  readonly inputIds: readonly number[]
  /** What lies at each place: `inputIds`, with pictures' keys where their embeddings go. */
  readonly keys: readonly PlaceKey[]
  /** The pictures, in order of appearance. */
  readonly pictures: readonly Picture[]
  readonly imageTokens: number
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
  const inputIds = Array.from(stages.tokenizer.encodePrompt(request.messages, tileCounts, request.tools))
  const keys = placeKeys(inputIds, pictures, stages)
  const imageTokens = keys.filter(key => typeof key === 'string').length
  return { inputIds, keys, pictures, imageTokens }
}

function placeKeys(
  inputIds: readonly number[],
  pictures: readonly Picture[],
  { tokenizer: { imageTokenId }, info }: EngineStages,
): readonly PlaceKey[] {
  const tokensPerTile = info.tile?.tokens ?? 0
  const imageKeys = pictures.flatMap(({ key, numTiles }) =>
    new Array<string>(numTiles * tokensPerTile).fill(key),
  )
  let next = 0
  return inputIds.map(id => (id === imageTokenId ? (imageKeys[next++] ?? id) : id))
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

import { NVLMError } from '../core/errors.js'
import type { Tiles } from '../image/tiles.js'
import type { ContentPart, Message } from '../tokenizer/messages.js'
import type { PromptRequest, TileOptions } from './engine-client.js'
import type { EngineStages } from './engine-stages.js'

/** A prompt ready for the model. */
export interface PromptInput {
  readonly inputIds: readonly number[]
  /** The pictures, in order of appearance. */
  readonly tiles: readonly Tiles[]
  readonly imageTokens: number
}

/**
 * Cut the pictures and write the prompt.
 *
 * @param signal - looked at between pictures
 * @throws {NVLMError} UNSUPPORTED for pictures to a model of text, IMAGE_* for a bad picture, INVALID_OPTION for misplaced roles
 */
export async function preparePrompt(
  stages: EngineStages,
  request: PromptRequest,
  signal: AbortSignal,
): Promise<PromptInput> {
  const images = collectImages(request.messages)
  const { tile, id } = stages.info
  if (images.length > 0 && !tile) {
    throw new NVLMError('UNSUPPORTED', `${id} takes text only, the request has ${images.length} image(s)`, {
      hint: 'Leave the images out, or load an NVLM-D or InternVL model.',
    })
  }
  const tiles: Tiles[] = []
  for (const { image, forced } of images) {
    signal.throwIfAborted()
    const options = { ...request.tiles, ...forced, applyExif: request.applyExif, signal }
    tiles.push(await stages.tiler.tile(image as never, withoutUndefined(options)))
  }
  const tileCounts = tiles.map(({ numTiles }) => numTiles)
  const inputIds = Array.from(stages.tokenizer.encodePrompt(request.messages, tileCounts))
  const numTiles = tileCounts.reduce((sum, count) => sum + count, 0)
  return { inputIds, tiles, imageTokens: numTiles * (tile?.tokens ?? 0) }
}

interface PlacedImage {
  readonly image: unknown
  /** What the image's own `detail` says about its tiles. */
  readonly forced?: TileOptions | undefined
}

/** Pictures of a conversation in order of appearance. */
function collectImages(messages: readonly Message[]): readonly PlacedImage[] {
  return messages.flatMap(({ content }) => (typeof content === 'string' ? [] : content.flatMap(imageOf)))
}

function imageOf(part: ContentPart): readonly PlacedImage[] {
  if (part.type === 'text') return []
  if (part.type === 'image') return [{ image: part.image }]
  if (typeof part.image_url === 'string') return [{ image: part.image_url }]
  const { url, detail } = part.image_url
  return [{ image: url, forced: detail === 'low' ? { maxTiles: 1, minTiles: 1 } : undefined }]
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}

import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import type { ImageInput } from '../platform/image-input.js'
import { abortSignalSchema, checkOptions } from './check-options.js'
import type { EmbedRequest, PromptRequest, TileOptions } from './engine-client.js'
import { tilesSchema } from './message-input.js'

/** Options of `prepareImage`. */
export interface PrepareImageOptions extends TileOptions {
  /** Turn the picture upright as its EXIF orientation says (default true; the official code does not). */
  readonly applyExif?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** Options of `embed`. */
export interface EmbedOptions {
  /** `mean`: one vector a picture, the mean of its tokens (default); `none`: one vector a token. */
  readonly pooling?: 'mean' | 'none' | undefined
  /** Scale each vector to length 1, so that a dot product is the cosine. Default false. */
  readonly normalize?: boolean | undefined
  /** How pictures are cut. Default: as the model's config says. */
  readonly tiles?: TileOptions | undefined
  /** Turn pictures upright as their EXIF orientation says (default true; the official code does not). */
  readonly applyExif?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

const flag = z.boolean('expected true or false').optional()
const signal = abortSignalSchema.optional()

const prepareSchema = z.strictObject({ ...tilesSchema.unwrap().shape, applyExif: flag, signal })

const embedSchema = z.strictObject({
  pooling: z.enum(['mean', 'none'], 'expected "mean" or "none"').optional(),
  normalize: flag,
  tiles: tilesSchema,
  applyExif: flag,
  signal,
})

/** @throws {NVLMError} INVALID_OPTION */
export function parsePrepareImageOptions(image: ImageInput, options: PrepareImageOptions): PromptRequest {
  const { applyExif, signal: _, ...tiles } = checkOptions(prepareSchema, options, 'prepareImage')
  return { messages: [picturesMessage([image])], tiles, applyExif }
}

/** @throws {NVLMError} INVALID_OPTION */
export function parseEmbedOptions(images: readonly ImageInput[], options: EmbedOptions): EmbedRequest {
  const {
    pooling = 'mean',
    normalize = false,
    tiles,
    applyExif,
  } = checkOptions(embedSchema, options, 'embed')
  if (images.length === 0) throw new NVLMError('INVALID_OPTION', 'embed: expected one image or more')
  return { messages: [picturesMessage(images)], tiles, applyExif, pooling, normalize }
}

function picturesMessage(images: readonly ImageInput[]) {
  return { role: 'user' as const, content: images.map(image => ({ type: 'image' as const, image })) }
}

import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import type { ImageLimits } from '../platform/platform.js'

/** How one picture is cut; what is left out is as the tiler was made. */
export interface TileOptions {
  /** Most tiles of the grid, the thumbnail not counted: 1 to 256. Default 6, as NVLM was trained. */
  readonly maxTiles?: number | undefined
  /** Fewest tiles of the grid, up to `maxTiles`. Default 1. */
  readonly minTiles?: number | undefined
  /** Add the whole picture as a last tile if the grid has more than one. Default true. */
  readonly useThumbnail?: boolean | undefined
  /**
   * Turn the picture upright as its EXIF orientation says. Default true, because people expect a phone photo
   * upright; the official code does not turn it: false gives its exact pixels.
   */
  readonly applyExif?: boolean | undefined
}

/** What one call of `tile` takes. */
export interface TileCallOptions extends TileOptions {
  readonly signal?: AbortSignal | undefined
}

/** What a tiler is made with. */
export interface ImageTilerOptions extends TileOptions {
  /** Width and height of a tile in pixels: 1 to 2048. Default 448. */
  readonly tileSize?: number | undefined
  /** Refuse larger pictures before they are decoded. Default 20 MB, 64 megapixels, 200 MB of memory. */
  readonly limits?: { readonly [Limit in keyof ImageLimits]?: ImageLimits[Limit] | undefined } | undefined
}

/** Checked options with their defaults filled in. */
export interface TileSettings {
  readonly tileSize: number
  readonly maxTiles: number
  readonly minTiles: number
  readonly useThumbnail: boolean
  readonly applyExif: boolean
  readonly limits: ImageLimits
}

/** Pictures larger than these are refused unless the caller says otherwise. */
export const DEFAULT_IMAGE_LIMITS: ImageLimits = {
  maxBytes: 20_000_000,
  maxPixels: 64_000_000,
  maxDecodeBytes: 200_000_000,
}

const DEFAULTS: TileSettings = {
  tileSize: 448,
  maxTiles: 6,
  minTiles: 1,
  useThumbnail: true,
  applyExif: true,
  limits: DEFAULT_IMAGE_LIMITS,
}

const numTiles = z.int('a whole number from 1 to 256').min(1).max(256)
const flag = z.boolean('true or false')
const limit = z.int('a whole number above 0').min(1)
const tileFields = {
  maxTiles: numTiles.optional(),
  minTiles: numTiles.optional(),
  useThumbnail: flag.optional(),
  applyExif: flag.optional(),
}
const tilerSchema = z.strictObject({
  ...tileFields,
  tileSize: z.int('a whole number from 1 to 2048').min(1).max(2048).optional(),
  limits: z
    .strictObject({
      maxBytes: limit.optional(),
      maxPixels: limit.optional(),
      maxDecodeBytes: limit.optional(),
    })
    .optional(),
})
const callSchema = z.strictObject({
  ...tileFields,
  signal: z.custom<AbortSignal>(isAbortSignal, 'an AbortSignal').optional(),
})

/**
 * Check the options of a tiler.
 *
 * @throws {NVLMError} INVALID_OPTION
 */
export function parseTilerOptions(options: ImageTilerOptions): TileSettings {
  const { limits, ...given } = parse(tilerSchema, options, 'ImageTiler')
  return checkBounds({
    ...overlay(DEFAULTS, given),
    limits: overlay(DEFAULTS.limits, limits ?? {}),
  })
}

/**
 * Check the options of one call and lay them over those of the tiler.
 *
 * @throws {NVLMError} INVALID_OPTION
 */
export function parseTileCallOptions(
  options: TileCallOptions,
  settings: TileSettings,
): { readonly settings: TileSettings; readonly signal: AbortSignal | undefined } {
  const { signal, ...given } = parse(callSchema, options, 'tile')
  return { settings: checkBounds(overlay(settings, given)), signal }
}

function parse<Schema extends z.ZodType>(schema: Schema, options: unknown, owner: string): z.infer<Schema> {
  const result = schema.safeParse(options, { reportInput: true })
  if (result.success) return result.data
  const issue = result.error.issues[0]!
  const path = issue.path.join('.')
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map(key => (path === '' ? key : `${path}.${key}`)).join(', ')
    throw new NVLMError('INVALID_OPTION', `${owner}: there is no option ${names}`, {
      hint: 'Check the spelling.',
    })
  }
  const subject = path === '' ? 'options' : `option ${path}`
  const message = `${owner} ${subject}: expected ${expectation(issue)}, found ${show(issue.input)}`
  throw new NVLMError('INVALID_OPTION', message)
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'too_small') return `at least ${issue.minimum}`
  if (issue.code === 'too_big') return `at most ${issue.maximum}`
  if (issue.path.length === 0) return 'an object'
  return issue.message
}

function checkBounds(settings: TileSettings): TileSettings {
  const { minTiles, maxTiles } = settings
  if (minTiles <= maxTiles) return settings
  throw new NVLMError(
    'INVALID_OPTION',
    `option minTiles: expected at most maxTiles (${maxTiles}), found ${minTiles}`,
  )
}

/** `base` with the fields of `given` that are not undefined. */
function overlay<Base extends object>(
  base: Base,
  given: { [Key in keyof Base]?: Base[Key] | undefined },
): Base {
  const defined = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...base, ...Object.fromEntries(defined) }
}

function isAbortSignal(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'aborted' in value && 'throwIfAborted' in value
}

function show(value: unknown): string {
  return typeof value === 'string'
    ? JSON.stringify(value)
    : typeof value === 'object' && value !== null
      ? 'an object'
      : String(value)
}

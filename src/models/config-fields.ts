import * as z from 'zod'
import { NVLMError } from '../core/errors.js'

/** Largest accepted dimension; the largest published one is the 152,064 rows of the vocabulary. */
const MAX_SIZE = 4_194_304

/** A width, count or length of a model. */
export const size = z.number().int().min(1).max(MAX_SIZE)

/** A small positive number, such as an epsilon. */
export const epsilon = z.number().positive().max(1)

/** A field that may be missing or null, with the default of the reference's config class. */
export function optional<T extends z.ZodType>(type: T, fallback: z.output<T>) {
  return type.nullish().transform(value => value ?? fallback)
}

/**
 * Parse settings, or name the first field that is wrong.
 *
 * @throws {NVLMError} MODEL_INVALID
 */
export function parseFields<T extends z.ZodType>(schema: T, config: unknown, source: string): z.output<T> {
  const result = schema.safeParse(config)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const field = issue?.path.join('.') || 'the file'
  throw new NVLMError('MODEL_INVALID', `${source}: ${field}: ${issue?.message ?? 'is not valid'}`, {
    hint: 'Download config.json again; if it is the original, this model is not of a supported kind.',
    cause: result.error,
  })
}

/**
 * Require that a setting has one of the values that are built.
 *
 * @throws {NVLMError} MODEL_UNSUPPORTED
 */
export function requireSetting(
  source: string,
  field: string,
  found: unknown,
  supported: readonly unknown[],
): void {
  if (supported.includes(found)) return
  throw new NVLMError(
    'MODEL_UNSUPPORTED',
    `${source}: ${field} is ${JSON.stringify(found)}; supported: ${supported.map(value => JSON.stringify(value)).join(', ')}`,
    { hint: 'See docs/models.md for the models that run.' },
  )
}

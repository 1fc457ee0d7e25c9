import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import type { RopeScaling } from '../decoder/rope.js'
import { optional, requireSetting, size } from './config-fields.js'

const scalingFields = z.looseObject({
  type: z.string().nullish(),
  rope_type: z.string().nullish(),
  rope_theta: z.number().positive().nullish(),
  factor: z.number().min(1).nullish(),
  low_freq_factor: z.number().positive().nullish(),
  high_freq_factor: z.number().positive().nullish(),
  original_max_position_embeddings: size.nullish(),
})

/** Fields about rotary positions; `rope_parameters` is how transformers 5 writes the other two. */
export const ropeFields = {
  rope_theta: optional(z.number().positive(), 10_000),
  rope_scaling: scalingFields.nullish(),
  rope_parameters: scalingFields.nullish(),
} as const

/** Fields as `ropeFields` parses them. */
export interface RopeFields {
  readonly rope_theta: number
  readonly rope_scaling?: z.output<typeof scalingFields> | null | undefined
  readonly rope_parameters?: z.output<typeof scalingFields> | null | undefined
}

/**
 * Base and scaling of the rotary frequencies.
 *
 * `dynamic` scaling is no scaling here: it changes nothing up to `max_position_embeddings` positions, and longer
 * sequences are refused.
 *
 * @throws {NVLMError} MODEL_UNSUPPORTED for another kind, MODEL_INVALID if a number of it is missing
 * @see huggingface/transformers v4.52 `modeling_rope_utils.py`
 */
export function ropeSettings(
  fields: RopeFields,
  source: string,
): { readonly ropeTheta: number; readonly ropeScaling: RopeScaling | undefined } {
  const scaling = fields.rope_parameters ?? fields.rope_scaling
  const ropeTheta = scaling?.rope_theta ?? fields.rope_theta
  const type = scaling?.rope_type ?? scaling?.type ?? 'default'
  requireSetting(source, 'rope_scaling.type', type, ['default', 'dynamic', 'linear', 'llama3'])
  if (type === 'linear') {
    return { ropeTheta, ropeScaling: { type, ...pick(scaling, ['factor'], source) } }
  }
  if (type !== 'llama3') return { ropeTheta, ropeScaling: undefined }
  const numbers = pick(
    scaling,
    ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
    source,
  )
  return {
    ropeTheta,
    ropeScaling: {
      type,
      factor: numbers.factor,
      lowFrequencyFactor: numbers.low_freq_factor,
      highFrequencyFactor: numbers.high_freq_factor,
      originalMaxPositions: numbers.original_max_position_embeddings,
    },
  }
}

function pick<Name extends string>(
  scaling: unknown,
  names: readonly Name[],
  source: string,
): Readonly<Record<Name, number>> {
  const fields = scaling as Readonly<Record<string, unknown>>
  const entries = names.map(name => {
    const value = fields[name]
    if (typeof value === 'number') return [name, value] as const
    throw new NVLMError('MODEL_INVALID', `${source}: rope_scaling.${name} is missing`)
  })
  return Object.fromEntries(entries) as Record<Name, number>
}

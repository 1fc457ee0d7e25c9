import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import { type RoundingName, roundings } from '../formats/blocks/rounding.js'
import { type DtypeOption, dtypeOptionSchema, isInPlace, type StageDtypes } from './stage-dtypes.js'

/** Progress of a preparation. */
export interface PrepareProgress {
  /**
   * `download`: of a checkpoint that is given by name, in bytes; `build`: graphs; `weights`: converting, in bytes of the
   * checkpoint; `write`: describing the weight files.
   */
  readonly step: 'download' | 'build' | 'weights' | 'write'
  readonly done: number
  readonly total: number
  /** While downloading: the rate of the last seconds, and the seconds to go once it is known. */
  readonly bytesPerSecond?: number | undefined
  readonly etaSeconds?: number | undefined
}

/** How a checkpoint is prepared. */
export interface PrepareOptions {
  /** Folder to make; it must not exist. */
  readonly out: string
  /**
   * What the weights are stored as: a name for all stages, or one for each, such as `decoder=q4,vision=fp32`. Default
   * `fp32`, which copies no weights: the graphs read the checkpoint. With any other, the folder has all its weights.
   */
  readonly dtype?: DtypeOption | undefined
  /** How weights are rounded to q8 and q4; default `search`, which has less error and takes longer than `min-max`. */
  readonly rounding?: RoundingName | undefined
  /**
   * What q8 and q4 layers round their input to, in blocks, before they multiply; default `int8`, several times faster
   * on CPUs. `fp32` does not round.
   */
  readonly activations?: 'int8' | 'fp32' | undefined
  /** Record a hash of each weight file that is read in place, so that `verifyModel` can check it. Reads all weights. */
  readonly hashWeights?: boolean | undefined
  /** Threads that read, convert and write; default: one more than there are cores, since some wait for the disk. */
  readonly numThreads?: number | undefined
  readonly onProgress?: ((progress: PrepareProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

const schema = z.strictObject({
  out: z.string('expected a path').min(1, 'expected a path'),
  dtype: dtypeOptionSchema.optional(),
  rounding: z
    .enum(Object.keys(roundings) as RoundingName[], `expected ${Object.keys(roundings).join(' or ')}`)
    .optional(),
  activations: z.enum(['int8', 'fp32'], 'expected int8 or fp32').optional(),
  hashWeights: z.boolean('expected true or false').optional(),
  numThreads: z.number('expected a number').int().min(1).max(256).optional(),
  onProgress: z
    .custom<PrepareOptions['onProgress']>(value => typeof value === 'function', 'expected a function')
    .optional(),
  signal: z.custom<AbortSignal>(value => value instanceof AbortSignal, 'expected an AbortSignal').optional(),
})

/** Options with their defaults. */
export interface CheckedPrepareOptions extends Omit<PrepareOptions, 'dtype' | 'rounding' | 'activations'> {
  /** Undefined: weights stay in the checkpoint. */
  readonly dtype: StageDtypes | undefined
  readonly rounding: RoundingName
  readonly activations: 'int8' | 'fp32'
}

/**
 * Check the options of a preparation.
 *
 * @throws {NVLMError} INVALID_OPTION naming the option
 */
export function parsePrepareOptions(options: PrepareOptions): CheckedPrepareOptions {
  const result = schema.safeParse(options)
  if (!result.success) {
    const issue = result.error.issues[0]
    const name = issue?.path.join('.') || 'options'
    throw new NVLMError('INVALID_OPTION', `prepare: ${name}: ${issue?.message}`, { cause: result.error })
  }
  const { dtype, rounding = 'search', activations = 'int8', ...rest } = result.data
  const staysInPlace = dtype === undefined || isInPlace(dtype)
  if (rest.hashWeights && !staysInPlace) {
    throw new NVLMError(
      'INVALID_OPTION',
      'prepare: hashWeights: the checkpoint is not needed after a conversion',
      {
        hint: 'Leave it out: data files that are written are always hashed.',
      },
    )
  }
  return { ...rest, dtype: staysInPlace ? undefined : dtype, rounding, activations }
}

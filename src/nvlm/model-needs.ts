import { NVLMError } from '../core/errors.js'
import { isBlockDType } from '../formats/blocks/block-format.js'
import type { CheckpointModel } from '../prepare/build-model.js'
import { planModel } from '../prepare/plan-model.js'
import { describeDtypes, isInPlace, type StageDtypes } from '../prepare/stage-dtypes.js'
import { rowBytesOf } from '../prepare/weight-layout.js'

/** What a model takes when its weights are stored as `dtype`. */
export interface ModelNeeds {
  /** As the option `dtype` takes it. */
  readonly dtype: string
  /** Size of the weights on the disk, exact. Without conversion (`fp32`) they are those of the checkpoint. */
  readonly diskBytes: number
  /** Estimate for a CPU, whose floats are widened to float32: weights, keys and values, work space. */
  readonly memoryBytes: number
  /** The same for a GPU that computes with the weights as they are stored. */
  readonly gpuMemoryBytes: number
}

/** Engine, JavaScript and activations of one run: about what the tiny model takes, and a chunk of a large one. */
const WORK_BYTES = 500_000_000

/**
 * What a checkpoint takes with each of some dtypes, for sequences of `contextLength` tokens. Computed from the headers.
 *
 * @param cacheBytesPerToken - bytes of keys and values of one token
 * @param pictureBytes - bytes of keys and values that a picture adds beside its tokens
 */
export function modelNeeds(
  model: CheckpointModel,
  dtypes: readonly StageDtypes[],
  sequence: {
    readonly cacheBytesPerToken: number
    readonly contextLength: number
    readonly pictureBytes: number
  },
): readonly ModelNeeds[] {
  const { cacheBytesPerToken, contextLength, pictureBytes } = sequence
  const workBytes = WORK_BYTES + cacheBytesPerToken * contextLength + pictureBytes
  const table = `${model.names.decoder.embedding}.weight`
  return dtypes.map(stages => {
    const { steps, dataFiles } = planModel(model, stages, { blockInput: 'int8' })
    let stored = 0
    let widened = 0
    for (const { tensor, place, rows } of steps) {
      // a table of its own is read row by row from its file
      const isTable = !model.config.decoder.tieWordEmbeddings && tensor.name === table
      if (isTable) continue
      const isFloat = !isBlockDType(place.dtype)
      const bytes =
        rowBytesOf(place.dtype, place.columns, 'blockSize' in place ? place.blockSize : undefined) *
        rows.count
      stored += bytes
      widened += isFloat ? place.columns * rows.count * 4 : bytes
    }
    return {
      dtype: describeDtypes(stages),
      diskBytes: isInPlace(stages)
        ? model.checkpoint.totalBytes
        : dataFiles.reduce((sum, { bytes }) => sum + bytes, 0),
      memoryBytes: widened + workBytes,
      gpuMemoryBytes: stored + workBytes,
    }
  })
}

/**
 * Refuse a model that cannot fit this machine.
 *
 * @param needs - the dtypes that may be chosen; enough that one fits
 * @throws {NVLMError} MODEL_UNSUPPORTED with what is needed and what there is
 */
export function requireFit(needs: readonly ModelNeeds[], memoryBytes: number, contextLength: number): void {
  if (needs.some(one => one.memoryBytes <= memoryBytes)) return
  const least = needs.reduce((best, one) => (one.memoryBytes < best.memoryBytes ? one : best))
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
  throw new NVLMError(
    'MODEL_UNSUPPORTED',
    `${least.dtype} needs about ${gigabytes(least.memoryBytes)} of memory with ${contextLength} tokens, this machine has ${gigabytes(memoryBytes)}`,
    {
      hint: 'Choose a smaller dtype (q4 is the smallest) or a shorter context, or run it on a larger machine.',
    },
  )
}

import { assertFinite } from '../core/assert-finite.js'
import { NVLMError } from '../core/errors.js'
import type { Random } from '../core/random.js'
import type { TokenConstraint } from './constraint/token-constraint.js'
import {
  addLogitBias,
  applyCountPenalties,
  applyMinTokens,
  applyRepetitionPenalty,
  applyTemperature,
  banRepeatedNgrams,
  keepMinP,
  keepTopK,
  keepTopP,
  maxOf,
} from './logits-processors.js'
import type { SamplingOptions } from './sampling-options.js'

/** What a sampler needs beside its options. */
export interface SamplerContext {
  readonly random: Random
  readonly stopTokenIds: readonly number[]
  /** Says which tokens may come next; the caller tells it what was chosen. */
  readonly constraint?: TokenConstraint | undefined
}

/** Chooses tokens. */
export interface Sampler {
  /**
   * Choose the next token.
   *
   * @param logits - float32 [vocabSize], left unchanged
   * @param generatedIds - the answer so far, without the prompt (the rules look at nothing else, as in the official code)
   * @throws {NVLMError} NUMERIC if a logit is not finite or every token is ruled out, INVALID_OPTION if `logitBias`
   * names a token that does not exist
   */
  sample(logits: Float32Array, generatedIds: readonly number[]): number
}

/** Make a sampler. It holds one scratch row and allocates nothing of vocabulary size per token. */
export function createSampler(options: SamplingOptions, context: SamplerContext): Sampler {
  const isGreedy = !options.temperature
  const { constraint } = context
  const changesLogits = !isGreedy || hasPenalties(options) || constraint !== undefined
  let scratch = new Float32Array(0)
  return {
    sample(logits, generatedIds) {
      assertFinite(logits, 'sampler: logits of the next token')
      if (!changesLogits) return argmax(logits)
      if (scratch.length !== logits.length) scratch = new Float32Array(logits.length)
      scratch.set(logits)
      constraint?.mask(scratch)
      applyPenalties(scratch, generatedIds, options, context.stopTokenIds)
      if (isGreedy) return argmax(scratch)
      applyTemperature(scratch, options.temperature!)
      if (options.topK !== undefined) keepTopK(scratch, options.topK)
      if (options.topP !== undefined) keepTopP(scratch, options.topP)
      if (options.minP !== undefined) keepMinP(scratch, options.minP)
      return draw(scratch, context.random)
    },
  }
}

/** Place of the largest logit, of equal ones the first. */
export function argmax(logits: Float32Array): number {
  let best = 0
  let max = -Infinity
  const take = (id: number) => {
    if (logits[id]! <= max) return
    max = logits[id]!
    best = id
  }
  // a larger one is rare: four at a time are looked over for one
  const end = logits.length - (logits.length % 4)
  for (let id = 0; id < end; id += 4) {
    if (logits[id]! > max || logits[id + 1]! > max || logits[id + 2]! > max || logits[id + 3]! > max) {
      for (let place = id; place < id + 4; place++) take(place)
    }
  }
  for (let id = end; id < logits.length; id++) take(id)
  if (max === -Infinity) throw allRuledOut()
  return best
}

/** Draw from softmax(logits), summed in float64 in the order of the ids, with one random number. */
export function draw(logits: Float32Array, random: Random): number {
  const max = maxOf(logits)
  if (max === -Infinity) throw allRuledOut()
  let total = 0
  for (let id = 0; id < logits.length; id++) total += Math.exp(logits[id]! - max)
  let rest = random.next() * total
  let last = 0
  for (let id = 0; id < logits.length; id++) {
    const weight = Math.exp(logits[id]! - max)
    if (weight === 0) continue
    if (rest < weight) return id
    rest -= weight
    last = id
  }
  // rounding can leave a crumb of `rest` behind the last token
  return last
}

/** Rules that act at temperature 0 too. */
const PENALTIES = [
  'logitBias',
  'repetitionPenalty',
  'frequencyPenalty',
  'presencePenalty',
  'noRepeatNgram',
  'minTokens',
] as const satisfies readonly (keyof SamplingOptions)[]

function hasPenalties(options: SamplingOptions): boolean {
  return PENALTIES.some(name => options[name] !== undefined)
}

/**
 * Penalties in the order of transformers' `_get_logits_processor`; its `sequence_bias` is the first, and OpenAI's two
 * penalties, which it does not have, stand beside its own penalty as in vLLM.
 */
function applyPenalties(
  logits: Float32Array,
  generatedIds: readonly number[],
  options: SamplingOptions,
  stopTokenIds: readonly number[],
): void {
  const { logitBias, repetitionPenalty, noRepeatNgram, minTokens } = options
  const { frequencyPenalty = 0, presencePenalty = 0 } = options
  if (logitBias !== undefined) addLogitBias(logits, logitBias)
  if (repetitionPenalty !== undefined) applyRepetitionPenalty(logits, generatedIds, repetitionPenalty)
  applyCountPenalties(logits, generatedIds, { frequencyPenalty, presencePenalty })
  if (noRepeatNgram !== undefined) banRepeatedNgrams(logits, generatedIds, noRepeatNgram)
  if (minTokens !== undefined) applyMinTokens(logits, generatedIds, minTokens, stopTokenIds)
}

function allRuledOut(): NVLMError {
  return new NVLMError('NUMERIC', 'no next token: the sampling options rule out the whole vocabulary', {
    hint: 'Raise noRepeatNgram or leave it out.',
  })
}

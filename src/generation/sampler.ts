import { NVLMError } from '../core/errors.js'
import type { Random } from '../core/random.js'
import {
  applyMinTokens,
  applyRepetitionPenalty,
  applyTemperature,
  banRepeatedNgrams,
  keepTopK,
  keepTopP,
  maxOf,
} from './logits-processors.js'

/** How the next token is chosen. What is absent does nothing. */
export interface SamplingOptions {
  /** 0 or absent: always the most likely token. */
  readonly temperature?: number | undefined
  /** Draw among the k most likely tokens only. */
  readonly topK?: number | undefined
  /** Draw among the most likely tokens that together have this probability only. */
  readonly topP?: number | undefined
  /** Above 1: tokens of the answer so far become less likely. */
  readonly repetitionPenalty?: number | undefined
  /** No run of this many tokens appears twice in the answer. */
  readonly noRepeatNgram?: number | undefined
  /** The answer does not end before it has this many tokens. */
  readonly minTokens?: number | undefined
}

/** What a sampler needs beside its options. */
export interface SamplerContext {
  readonly random: Random
  readonly stopTokenIds: readonly number[]
}

/** Chooses tokens. */
export interface Sampler {
  /**
   * Choose the next token.
   *
   * @param logits - float32 [vocabSize], left unchanged
   * @param generatedIds - the answer so far, without the prompt (the rules look at nothing else, as in the official code)
   * @throws {NVLMError} NUMERIC if a logit is not finite or every token is ruled out
   */
  sample(logits: Float32Array, generatedIds: readonly number[]): number
}

/** Make a sampler. It holds one scratch row and allocates nothing of vocabulary size per token. */
export function createSampler(options: SamplingOptions, context: SamplerContext): Sampler {
  const isGreedy = !options.temperature
  const changesLogits = !isGreedy || hasPenalties(options)
  let scratch = new Float32Array(0)
  return {
    sample(logits, generatedIds) {
      checkFinite(logits)
      if (!changesLogits) return argmax(logits)
      if (scratch.length !== logits.length) scratch = new Float32Array(logits.length)
      scratch.set(logits)
      applyPenalties(scratch, generatedIds, options, context.stopTokenIds)
      if (isGreedy) return argmax(scratch)
      applyTemperature(scratch, options.temperature!)
      if (options.topK !== undefined) keepTopK(scratch, options.topK)
      if (options.topP !== undefined) keepTopP(scratch, options.topP)
      return draw(scratch, context.random)
    },
  }
}

/** Place of the largest logit, of equal ones the first. */
export function argmax(logits: Float32Array): number {
  let best = 0
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id
  if (logits[best] === -Infinity) throw allRuledOut()
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

function hasPenalties(options: SamplingOptions): boolean {
  const { repetitionPenalty, noRepeatNgram, minTokens } = options
  return repetitionPenalty !== undefined || noRepeatNgram !== undefined || minTokens !== undefined
}

/** Penalties in the order of transformers' `_get_logits_processor`. */
function applyPenalties(
  logits: Float32Array,
  generatedIds: readonly number[],
  options: SamplingOptions,
  stopTokenIds: readonly number[],
): void {
  const { repetitionPenalty, noRepeatNgram, minTokens } = options
  if (repetitionPenalty !== undefined) applyRepetitionPenalty(logits, generatedIds, repetitionPenalty)
  if (noRepeatNgram !== undefined) banRepeatedNgrams(logits, generatedIds, noRepeatNgram)
  if (minTokens !== undefined) applyMinTokens(logits, generatedIds, minTokens, stopTokenIds)
}

function checkFinite(logits: Float32Array): void {
  for (let id = 0; id < logits.length; id++) {
    if (!Number.isFinite(logits[id])) {
      throw new NVLMError(
        'NUMERIC',
        `logits of the next token: value ${id} of ${logits.length} is ${logits[id]}, expected finite numbers`,
        { hint: 'The weights are damaged, or their numbers do not fit the chosen dtype; try dtype "fp32".' },
      )
    }
  }
}

function allRuledOut(): NVLMError {
  return new NVLMError('NUMERIC', 'no next token: the sampling options rule out the whole vocabulary', {
    hint: 'Raise noRepeatNgram or leave it out.',
  })
}

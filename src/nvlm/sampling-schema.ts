import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import type { SamplingOptions } from '../generation/sampling-options.js'

/** Most alternatives that `logprobs` can ask for, as OpenAI's API allows. */
const MAX_LOGPROBS = 20

const count = z.int('expected an integer').min(1, 'expected an integer of 1 or more').optional()
const number = z.number('expected a number')
const fraction = number.min(0, 'expected 0 to 1').max(1, 'expected 0 to 1').optional()
const penalty = number.min(-2, 'expected -2 to 2').max(2, 'expected -2 to 2').optional()

function isCount(value: unknown, max: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max
}

/** Options of `generate` about the choice of tokens. */
export const samplingShape = {
  temperature: number.min(0, 'expected 0 (always the most likely token) or more').optional(),
  topK: count,
  topP: fraction,
  minP: fraction,
  repetitionPenalty: number.positive('expected more than 0 (1 changes nothing)').optional(),
  presencePenalty: penalty,
  frequencyPenalty: penalty,
  logitBias: z
    .record(
      z.string().regex(/^\d+$/),
      number.min(-100, 'expected -100 to 100').max(100, 'expected -100 to 100'),
      'expected an object with token ids as keys and numbers as values',
    )
    .optional(),
  noRepeatNgram: count,
  minTokens: count,
  seed: z.int('expected an integer').min(0, 'expected an integer of 0 or more').optional(),
  maxTokens: count,
  logprobs: z
    .custom<boolean | number>(
      value => typeof value === 'boolean' || isCount(value, MAX_LOGPROBS),
      `expected true, false or 0 to ${MAX_LOGPROBS} alternatives`,
    )
    .optional(),
}

const SAMPLING_NAMES = [
  'temperature',
  'topK',
  'topP',
  'minP',
  'repetitionPenalty',
  'presencePenalty',
  'frequencyPenalty',
  'logitBias',
  'noRepeatNgram',
  'minTokens',
] as const satisfies readonly (keyof SamplingOptions)[]

/**
 * The sampling options among others.
 *
 * @throws {NVLMError} INVALID_OPTION if `minTokens` is more than `maxTokens`
 */
export function pickSampling(
  options: SamplingOptions & { readonly maxTokens?: number | undefined },
): SamplingOptions {
  const { minTokens, maxTokens } = options
  if (minTokens !== undefined && maxTokens !== undefined && minTokens > maxTokens) {
    throw new NVLMError(
      'INVALID_OPTION',
      `generate: option "minTokens": ${minTokens} is more than maxTokens ${maxTokens}`,
    )
  }
  return Object.fromEntries(SAMPLING_NAMES.map(name => [name, options[name]]))
}

/** Number of alternatives that `logprobs` asks for; undefined: no log-probabilities. */
export function numLogprobsOf(logprobs: boolean | number | undefined): number | undefined {
  if (typeof logprobs === 'number') return logprobs
  return logprobs ? 0 : undefined
}

/**
 * Check that the tokens of `logitBias` exist, before the model is run.
 *
 * @throws {NVLMError} INVALID_OPTION naming the token
 */
export function checkLogitBias({ logitBias }: SamplingOptions, vocabSize: number): void {
  const wrong = Object.keys(logitBias ?? {}).find(id => !(Number(id) < vocabSize))
  if (wrong === undefined) return
  throw new NVLMError('INVALID_OPTION', `logitBias: token id ${wrong}; expected 0 to ${vocabSize - 1}`)
}

/** Sentences about options that do nothing beside the others. */
export function idleSamplingWarnings(sampling: SamplingOptions): string[] {
  if (sampling.temperature) return []
  return (['topK', 'topP', 'minP'] as const)
    .filter(name => sampling[name] !== undefined)
    .map(
      name =>
        `${name}: has no effect at temperature 0, where the most likely token is always taken; set temperature`,
    )
}

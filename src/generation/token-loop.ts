import { NVLMError } from '../core/errors.js'
import type { FloatTensor } from '../core/tensor.js'
import type { DecoderState } from '../decoder/decoder-state.js'
import type { TokenConstraint } from './constraint/token-constraint.js'
import { type ChosenLogprob, chosenLogprob } from './logprobs.js'
import type { Sampler } from './sampler.js'

/** What the loop needs of a sequence. */
export type TokenSteps = Pick<DecoderState, 'length' | 'contextLength' | 'step'>

/** When and how the loop goes on. */
export interface TokenLoopOptions {
  readonly sampler: Sampler
  readonly stopTokenIds: readonly number[]
  /** Most tokens to generate, stop token included. */
  readonly maxTokens: number
  /** The sampler's constraint, told of every token here. */
  readonly constraint?: TokenConstraint | undefined
  /** Give log-probabilities with this many alternatives; absent: none. */
  readonly numLogprobs?: number | undefined
  /** Looked at before every step. */
  readonly signal?: AbortSignal | undefined
  /** Waits until the event loop went round once, so that an abort can come in between two steps. */
  readonly nextTurn: () => Promise<void>
}

/** One token of an answer. */
export interface GeneratedToken {
  readonly id: number
  /** 0 for the first. */
  readonly index: number
  /** On the last token only: it is a stop token, or there is no room for another one. */
  readonly finishReason?: 'stop' | 'length' | undefined
  /** With `numLogprobs` only: of the model's own distribution, before the sampler's rules. */
  readonly logprob?: ChosenLogprob | undefined
}

/**
 * Generate tokens one by one. Leaving the loop early stops the compute.
 *
 * @param state - prefilled with the prompt; each token but the last is appended to it
 * @param logits - float32 [n, vocabSize] of the prompt; the last row chooses the first token
 * @throws {NVLMError} NUMERIC if logits are not finite; the signal's reason on abort
 */
export async function* generateTokens(
  state: TokenSteps,
  logits: FloatTensor,
  options: TokenLoopOptions,
): AsyncGenerator<GeneratedToken, void, undefined> {
  const { sampler, signal, numLogprobs } = options
  const generatedIds: number[] = []
  for (;;) {
    signal?.throwIfAborted()
    const row = lastRow(logits)
    const id = sampler.sample(row, generatedIds)
    options.constraint?.accept(id)
    const index = generatedIds.push(id) - 1
    const finishReason = finishReasonAfter(id, generatedIds.length, state, options)
    yield {
      id,
      index,
      ...(finishReason !== undefined && { finishReason }),
      ...(numLogprobs !== undefined && { logprob: chosenLogprob(row, id, numLogprobs) }),
    }
    if (finishReason !== undefined) return
    await options.nextTurn()
    signal?.throwIfAborted()
    logits = await state.step(id)
  }
}

function finishReasonAfter(
  id: number,
  numGenerated: number,
  state: TokenSteps,
  { stopTokenIds, maxTokens }: TokenLoopOptions,
): 'stop' | 'length' | undefined {
  if (stopTokenIds.includes(id)) return 'stop'
  return numGenerated >= maxTokens || state.length >= state.contextLength ? 'length' : undefined
}

function lastRow({ data, dims }: FloatTensor): Float32Array {
  const vocabSize = dims.at(-1) ?? 0
  if (vocabSize === 0 || data.length < vocabSize) {
    throw new NVLMError('NUMERIC', `logits [${dims.join(', ')}] hold no row to choose a token from`)
  }
  return data.subarray(data.length - vocabSize)
}

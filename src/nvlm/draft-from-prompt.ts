import type { DecoderState } from '../decoder/decoder-state.js'
import { DraftedSteps } from '../generation/drafted-steps.js'
import { PromptLookup } from '../generation/prompt-lookup.js'
import type { GenerateRequest } from './engine-client.js'
import type { EngineStages } from './engine-stages.js'

/**
 * Steps that guess ahead as the request asks for, or undefined if it does without.
 *
 * @param state - holds the prompt
 */
export function draftedSteps(
  state: DecoderState,
  { tokenizer }: EngineStages,
  { promptLookup, sampling }: GenerateRequest,
  promptIds: readonly number[],
  maxTokens: number,
): DraftedSteps | undefined {
  const wanted = promptLookup ?? !sampling.temperature
  if (wanted === false) return undefined
  const source = new PromptLookup(wanted === true ? {} : wanted)
  const { stopTokenIds, imageTokenId } = tokenizer
  return new DraftedSteps(state, promptIds, {
    source,
    maxDraftTokens: source.maxDraftTokens,
    // the last token of an answer is not fed back
    maxLength: Math.min(state.contextLength, state.length + maxTokens - 1),
    barredIds: new Set(imageTokenId === undefined ? stopTokenIds : [...stopTokenIds, imageTokenId]),
  })
}

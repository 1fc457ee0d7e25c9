import type { LanguageModelV3FinishReason, LanguageModelV3Usage } from '@ai-sdk/provider'
import type { GenerateResult } from '../nvlm/engine-client.js'
import type { ToolsResult } from '../nvlm/tool-types.js'
import type { ModelWarning } from './call-options.js'

/** A call of a tool as the AI SDK wants it; it checks and runs it. */
export interface ToolCallPart {
  readonly type: 'tool-call'
  readonly toolCallId: string
  readonly toolName: string
  /** JSON text. */
  readonly input: string
}

/** The calls that the model made, those whose arguments do not fit too: the AI SDK tells the model of them. */
export function callsOf(result: GenerateResult): readonly ToolCallPart[] {
  const { messages = [] } = result as Partial<ToolsResult>
  return messages
    .flatMap(message => (message.role === 'assistant' ? (message.tool_calls ?? []) : []))
    .map(({ id, function: { name, arguments: input } }) => ({
      type: 'tool-call',
      toolCallId: id,
      toolName: name,
      input,
    }))
}

/** Why it ended. */
export function finishReasonOf(result: GenerateResult): LanguageModelV3FinishReason {
  const { finishReason: raw } = result
  if (raw === 'aborted') return { unified: 'other', raw }
  // a call that could not even be read is none that the AI SDK could answer
  if (raw === 'tool-calls' && callsOf(result).length === 0) return { unified: 'error', raw }
  return { unified: raw, raw }
}

/** Tokens in the AI SDK's words. */
export function usageOf({ usage }: GenerateResult): LanguageModelV3Usage {
  const { promptTokens, cachedTokens, completionTokens } = usage
  return {
    inputTokens: {
      total: promptTokens,
      noCache: promptTokens - cachedTokens,
      cacheRead: cachedTokens,
      cacheWrite: undefined,
    },
    outputTokens: { total: completionTokens, text: completionTokens, reasoning: undefined },
    raw: { ...usage },
  }
}

/** Tokens of an answer that failed. */
export const UNKNOWN_USAGE: LanguageModelV3Usage = {
  inputTokens: { total: undefined, noCache: undefined, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: undefined, text: undefined, reasoning: undefined },
}

/** What the AI SDK has no place for. */
export function metadataOf({ timings, device, seed, logprobs }: GenerateResult) {
  const known = { timings, device, ...(seed !== undefined && { seed }), ...(logprobs && { logprobs }) }
  return { nvlm: JSON.parse(JSON.stringify(known)) }
}

/** Sentences as warnings. */
export function warningsOf(sentences: readonly string[]): ModelWarning[] {
  return sentences.map(message => ({ type: 'other', message }))
}

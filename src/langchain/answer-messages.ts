import { AIMessageChunk, type UsageMetadata } from '@langchain/core/messages'
import type { GenerateResult } from '../nvlm/engine-client.js'
import type { ToolsResult } from '../nvlm/tool-types.js'

/**
 * A finished answer as a message.
 *
 * Calls whose arguments do not fit are calls too: LangChain's tools check them, and tell the model.
 *
 * @param content - the text; empty for the last chunk of a stream
 */
export function answerMessage(result: GenerateResult, content = result.text): AIMessageChunk {
  const { messages = [] } = result as Partial<ToolsResult>
  const calls = messages.flatMap(message => (message.role === 'assistant' ? (message.tool_calls ?? []) : []))
  const message = new AIMessageChunk({
    content,
    tool_call_chunks: calls.map(({ id, function: { name, arguments: args } }, index) => ({
      type: 'tool_call_chunk',
      ...{ id, name, args, index },
    })),
    response_metadata: metadataOf(result),
  })
  // the constructor's own types leave no room for it
  return Object.assign(message, { usage_metadata: usageOf(result) })
}

function usageOf({ usage }: GenerateResult): UsageMetadata {
  return {
    input_tokens: usage.promptTokens,
    output_tokens: usage.completionTokens,
    total_tokens: usage.totalTokens,
    input_token_details: { cache_read: usage.cachedTokens },
  }
}

function metadataOf(result: GenerateResult): Record<string, unknown> {
  const { finishReason, modelId, timings, device, warnings, logprobs, seed } = result
  return {
    model_name: modelId,
    model_provider: 'nvlm',
    finish_reason: finishReason,
    ...{ timings, device, warnings },
    ...(seed !== undefined && { seed }),
    ...(logprobs && { logprobs }),
  }
}

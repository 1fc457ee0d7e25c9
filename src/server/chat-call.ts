import type { ApiCall, ApiSettings } from './api-call.js'
import { chatCompletion, writeChatChunks } from './chat-completion.js'
import { parseChatRequest } from './chat-request.js'

/** Read a chat completion. @throws {ApiError} 400 or 404 */
export function parseChatCall(body: unknown, { modelId, maxChoices }: ApiSettings): ApiCall {
  const { includeUsage, returnTokenIds, ...call } = parseChatRequest(body, modelId, maxChoices)
  return {
    ...call,
    render: answering => chatCompletion(answering, { returnTokenIds }),
    write: (answering, writer) => writeChatChunks(answering, writer, { includeUsage, returnTokenIds }),
    errorEvent: error => [error.body],
  }
}

import type { ApiCall, ApiSettings } from './api-call.js'
import { ResponseWriter, renderResponse } from './responses-output.js'
import { parseResponsesRequest } from './responses-request.js'

/** Read a request of the Responses API. @throws {ApiError} 400 or 404 */
export function parseResponsesCall(body: unknown, { modelId }: ApiSettings): ApiCall {
  const { echo, ...call } = parseResponsesRequest(body, modelId)
  const writer = new ResponseWriter(echo, modelId)
  return {
    ...call,
    numChoices: 1,
    tiles: undefined,
    render: answering => renderResponse(answering, echo),
    write: (answering, events) => writer.write(answering, events),
    errorEvent: error => writer.errorEvent(error),
  }
}

import { describeDevice } from './describe-device.js'
import type { GenerateResult } from './engine-client.js'
import type { ModelInfo } from './stages.js'

/** The result of a run that was aborted before it began. */
export function emptyResult(info: ModelInfo): GenerateResult {
  return {
    text: '',
    tokenIds: [],
    finishReason: 'aborted',
    usage: {
      promptTokens: 0,
      imageTokens: 0,
      cachedTokens: 0,
      completionTokens: 0,
      draftTokens: 0,
      acceptedDraftTokens: 0,
      totalTokens: 0,
    },
    timings: {
      queueMs: 0,
      preprocessMs: 0,
      visionMs: 0,
      prefillMs: 0,
      timeToFirstTokenMs: 0,
      decodeMs: 0,
      tokensPerSecond: 0,
    },
    device: describeDevice(info),
    warnings: [],
    modelId: info.id,
  }
}

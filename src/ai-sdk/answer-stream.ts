import type { LanguageModelV3StreamPart, LanguageModelV4StreamPart } from '@ai-sdk/provider'
import type { AnyGeneration } from '../nvlm/any-nvlm.js'
import type { GenerateResult } from '../nvlm/engine-client.js'
import type { StreamPart } from '../nvlm/stream-parts.js'
import { callsOf, finishReasonOf, metadataOf, UNKNOWN_USAGE, usageOf, warningsOf } from './answer-parts.js'
import type { ModelWarning } from './call-options.js'

/** What both versions of the AI SDK read. */
export type AnswerStreamPart = LanguageModelV3StreamPart & LanguageModelV4StreamPart

const TEXT_ID = 'text'

/**
 * A generation as the AI SDK's stream of parts. Cancelling it stops the compute; an abort errors it with the reason.
 *
 * @param warnings - of the call, besides those of the generation
 */
export function answerStream(
  generation: AnyGeneration,
  warnings: readonly ModelWarning[],
  modelId: string,
): ReadableStream<AnswerStreamPart> {
  const parts = answerParts(generation, warnings, modelId)
  return new ReadableStream<AnswerStreamPart>(
    {
      async pull(controller) {
        const { done, value } = await parts.next()
        if (done) controller.close()
        else controller.enqueue(value)
      },
      async cancel() {
        generation.abort()
        // it has stopped when it settles
        await generation.then(undefined, () => {})
      },
    },
    { highWaterMark: 0 },
  )
}

async function* answerParts(
  generation: AnyGeneration,
  warnings: readonly ModelWarning[],
  modelId: string,
): AsyncGenerator<AnswerStreamPart, void, undefined> {
  let hasStarted = false
  let hasText = false
  const start = (part?: StreamPart): AnswerStreamPart[] => {
    if (hasStarted) return []
    hasStarted = true
    const own = part?.type === 'start' ? warningsOf(part.warnings) : []
    return [
      { type: 'stream-start', warnings: [...warnings, ...own] },
      { type: 'response-metadata', id: crypto.randomUUID(), timestamp: new Date(), modelId },
    ]
  }
  try {
    for await (const part of generation.parts) {
      if (part.type === 'start') yield* start(part)
      if (part.type !== 'text') continue
      yield* start()
      if (!hasText) yield { type: 'text-start', id: TEXT_ID }
      hasText = true
      yield { type: 'text-delta', id: TEXT_ID, delta: part.text }
    }
    const result = await generation
    yield* start()
    if (hasText) yield { type: 'text-end', id: TEXT_ID }
    yield* endParts(result)
  } catch (error) {
    // whoever aborts knows it, and waits for the end only
    if (generation.status === 'aborted') throw error
    yield* start()
    if (hasText) yield { type: 'text-end', id: TEXT_ID }
    yield { type: 'error', error }
    yield { type: 'finish', finishReason: { unified: 'error', raw: undefined }, usage: UNKNOWN_USAGE }
  }
}

function* endParts(result: GenerateResult): Generator<AnswerStreamPart, void, undefined> {
  for (const call of callsOf(result)) {
    const { toolCallId: id, toolName, input } = call
    yield { type: 'tool-input-start', id, toolName }
    yield { type: 'tool-input-delta', id, delta: input }
    yield { type: 'tool-input-end', id }
    yield { ...call }
  }
  yield {
    type: 'finish',
    finishReason: finishReasonOf(result),
    usage: usageOf(result),
    providerMetadata: metadataOf(result),
  }
}

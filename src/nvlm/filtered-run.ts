import { untilAborted } from '../core/until-aborted.js'
import { emptyResult } from './empty-result.js'
import type {
  EngineEvent,
  GenerateRequest,
  GenerateResult,
  PromptRequest,
  RunHooks,
} from './engine-client.js'
import { filterContext, type GenerationFilter } from './filters.js'
import { parseMessages } from './generate-options.js'
import { linkSignals } from './link-signals.js'
import { OutputPipe } from './output-pipe.js'
import type { ModelInfo } from './stages.js'

/** Runs one request, as `EngineClient.run` does. */
export type Run = (request: GenerateRequest, hooks: RunHooks) => Promise<GenerateResult>

/**
 * Put filters around a run, in the order of the list on both ways.
 *
 * With output filters the text comes in `text` events; the text of `token` events is empty, and `tokenIds` of the
 * result are what the model said.
 */
export function filterRun(run: Run, filters: readonly GenerationFilter[], info: ModelInfo): Run {
  if (filters.length === 0) return run
  return async (request, hooks) => {
    const messages = await orAbort(filterMessages(filters, request, info.id, hooks.signal), hooks.signal)
    if (messages === undefined) return emptyResult(info)
    const outputs = filters.filter(filter => filter.output)
    const filtered = { ...request, messages }
    return outputs.length === 0 ? run(filtered, hooks) : runPiped(run, filtered, hooks, outputs, info)
  }
}

/**
 * The conversation as the filters leave it.
 *
 * @throws what a filter throws; {NVLMError} INVALID_OPTION if one gives something else than messages
 */
export async function filterMessages(
  filters: readonly GenerationFilter[],
  { messages, tiles }: PromptRequest,
  modelId: string,
  signal: AbortSignal,
): Promise<PromptRequest['messages']> {
  for (const filter of filters) {
    const changed = await filter.input?.(messages as never, filterContext(filter, modelId, signal))
    if (changed) messages = parseMessages(changed, `filter ${filter.name ?? ''}`.trimEnd(), tiles)
  }
  return messages
}

async function runPiped(
  run: Run,
  request: GenerateRequest,
  hooks: RunHooks,
  filters: readonly GenerationFilter[],
  info: ModelInfo,
): Promise<GenerateResult> {
  const stopping = new AbortController()
  const { signal, unlink } = linkSignals(hooks.signal, stopping.signal)
  const pipe = new OutputPipe(filters, info.id, signal, text => hooks.onEvent({ type: 'text', text }))
  const onEvent = (event: EngineEvent) => {
    if (event.type === 'token' || event.type === 'text') pipe.push(event.text)
    if (event.type === 'token') hooks.onEvent({ ...event, text: '' })
    else if (event.type !== 'text') hooks.onEvent(event)
  }
  // a filter that stops or fails while the model goes on stops the model
  const filtering = pipe.done.finally(() =>
    stopping.abort(new DOMException('a filter stopped', 'AbortError')),
  )
  filtering.catch(() => {})
  try {
    const result = await run(request, { signal, onEvent })
    pipe.close()
    await orAbort(filtering, hooks.signal)
    const finishReason = pipe.wasStopped && !hooks.signal.aborted ? 'content-filter' : result.finishReason
    return { ...result, text: pipe.text, finishReason }
  } finally {
    pipe.close()
    unlink()
  }
}

/** Wait for `work`, or no longer when the signal aborts: undefined then. */
async function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  try {
    return await untilAborted(work, signal)
  } catch (error) {
    if (signal.aborted) return undefined
    throw error
  }
}

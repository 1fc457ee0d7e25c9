import { NVLMError } from '../core/errors.js'
import { parseToolCall } from '../generation/tool-call-filter.js'
import type { Message } from '../tokenizer/messages.js'
import type { ToolCallMessagePart } from '../tokenizer/tools.js'
import type { EngineEvent, GenerateRequest, GenerateResult, RunHooks } from './engine-client.js'
import type { Run } from './filtered-run.js'
import { joinResults } from './join-results.js'
import { epochNow } from './run-clock.js'
import { StepText } from './step-text.js'
import type { ToolCall, ToolResult, ToolsResult } from './tool-types.js'
import type { ReadTools } from './tools.js'

/** What one step said, and what became of its calls. */
interface Step {
  readonly calls: readonly ToolCall[]
  readonly results: readonly ToolResult[]
  readonly messages: readonly Message[]
  readonly numCalls: number
  /** Have all calls been answered, so that the model can go on? */
  readonly isAnswered: boolean
}

/**
 * Run a request whose model may call tools: call them, tell the model what they gave back, and go on.
 *
 * Tools of one step run at the same time. Text of the steps is joined with line breaks; calls are no part of it.
 */
export function runWithTools(run: Run, tools: ReadTools): Run {
  return async (request, hooks): Promise<ToolsResult> => {
    const results: GenerateResult[] = []
    const steps: Step[] = []
    let text = ''
    for (;;) {
      const numTokens = results.reduce((sum, { tokenIds }) => sum + tokenIds.length, 0)
      const place = { isFirst: steps.length === 0, hasText: text !== '', numTokens }
      const step = new StepText(hooks, place)
      const onEvent = (event: EngineEvent) => step.take(event)
      const result = await run(stepRequest(request, tools, steps), { signal: hooks.signal, onEvent })
      step.end()
      text += step.written
      results.push({ ...result, text: step.text })
      const { finishReason } = result
      const taken = await takeStep(step.text, callsOf(step, finishReason), tools, hooks)
      steps.push(taken)
      const isAborted = hooks.signal.aborted
      if (taken.isAnswered && steps.length < tools.maxSteps && !isAborted) continue
      const reason = isAborted ? 'aborted' : taken.numCalls > 0 ? 'tool-calls' : finishReason
      return { ...joinResults(results), text, finishReason: reason, ...joinSteps(steps) }
    }
  }
}

function joinSteps(steps: readonly Step[]): Pick<ToolsResult, 'toolCalls' | 'toolResults' | 'messages'> {
  return {
    toolCalls: steps.flatMap(({ calls }) => calls) as ToolsResult['toolCalls'],
    toolResults: steps.flatMap(({ results }) => results),
    messages: steps.flatMap(({ messages }) => messages) as ToolsResult['messages'],
  }
}

/** The calls that can be taken: all of an answer that ended by itself, whole ones of one that was cut off. */
function callsOf({ calls }: StepText, finishReason: GenerateResult['finishReason']): readonly string[] {
  if (finishReason !== 'stop' && finishReason !== 'length') return []
  return calls.filter(({ isOpen }) => !isOpen || finishReason === 'stop').map(({ source }) => source)
}

function stepRequest(
  request: GenerateRequest,
  { definitions, format }: ReadTools,
  steps: readonly Step[],
): GenerateRequest {
  const isFirst = steps.length === 0
  return {
    ...request,
    messages: [...request.messages, ...steps.flatMap(({ messages }) => messages)],
    tools: definitions,
    // a call that is asked for in any case is asked for once
    format: isFirst ? format : undefined,
    submittedAt: isFirst ? request.submittedAt : epochNow(),
  }
}

async function takeStep(
  text: string,
  sources: readonly string[],
  tools: ReadTools,
  hooks: RunHooks,
): Promise<Step> {
  const aborted = whenAborted(hooks.signal)
  const taking = sources.map(source =>
    Promise.race([takeCall(source, tools, hooks), aborted.then(() => ({}) as TakenCall)]),
  )
  const taken = await Promise.all(taking)
  const results = taken.flatMap(({ result }) => result ?? [])
  const written = taken.flatMap(({ written }) => written ?? [])
  // what was no call at all stays text, so that the model sees what it wrote
  const broken = taken.flatMap(({ source }) =>
    source === undefined ? [] : [`<tool_call>${source}</tool_call>`],
  )
  const content = [text, ...broken].filter(part => part !== '').join('\n')
  const turn: Message = {
    role: 'assistant',
    content,
    ...(written.length > 0 && { tool_calls: written }),
  }
  return {
    calls: taken.flatMap(({ call }) => call ?? []),
    results,
    messages: [
      turn,
      ...results.map(
        ({ id, result, error }): Message => ({
          role: 'tool',
          tool_call_id: id,
          content: error === undefined ? resultText(result) : `Error: ${error}`,
        }),
      ),
    ],
    numCalls: sources.length,
    isAnswered: sources.length > 0 && results.length === sources.length,
  }
}

interface TakenCall {
  readonly call?: ToolCall
  readonly written?: ToolCallMessagePart
  readonly result?: ToolResult
  /** What stood between the tags, if it is no call. */
  readonly source?: string
}

/** Read, check and run one call. */
async function takeCall(source: string, tools: ReadTools, hooks: RunHooks): Promise<TakenCall> {
  const { signal, onEvent } = hooks
  const id = `call_${globalThis.crypto.randomUUID()}`
  const fail = (name: string, problem: string, cause?: unknown): ToolResult => {
    if (tools.toolErrors === 'caller') {
      throw new NVLMError('TOOL_FAILED', `tool "${name}": ${problem}`, {
        cause,
        hint: 'With toolErrors: "model" the model is told, and may try again.',
        details: { tool: name, toolCallId: id },
      })
    }
    const result = { id, name, error: problem }
    onEvent({ type: 'tool-result', ...result })
    return result
  }
  const parsed = parseToolCall(source)
  if ('problem' in parsed) return { source, result: fail('', `the call can't be read, ${parsed.problem}`) }
  const { name } = parsed
  const written = messageCall(id, name, parsed.arguments)
  const tool = tools.tools.get(name)
  if (!tool)
    return {
      written,
      result: fail(name, `there is no such tool; there are ${[...tools.tools.keys()].join(', ')}`),
    }
  let args: unknown
  try {
    args = await tool.checkArguments(parsed.arguments)
  } catch (error) {
    return { written, result: fail(name, messageOf(error), error) }
  }
  const call: ToolCall = { id, name, arguments: args }
  onEvent({ type: 'tool-call', ...call })
  if (!tool.execute) return { call, written }
  try {
    const value = await tool.execute(args as never, { signal, toolCallId: id })
    if (signal.aborted) return { call, written }
    const result = { id, name, result: value }
    onEvent({ type: 'tool-result', ...result })
    return { call, written, result }
  } catch (error) {
    if (signal.aborted) return { call, written }
    return { call, written, result: fail(name, messageOf(error), error) }
  }
}

function messageCall(id: string, name: string, args: unknown): ToolCallMessagePart {
  return { id, type: 'function', function: { name, arguments: JSON.stringify(args) } }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A result as the model reads it: text as it is, everything else as JSON. */
function resultText(result: unknown): string {
  if (typeof result === 'string') return result
  return JSON.stringify(result) ?? 'null'
}

/** Resolves on abort. A tool that does not listen to its signal must not hold the generation up. */
function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

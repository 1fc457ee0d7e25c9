import type {
  LanguageModelV3CallOptions,
  LanguageModelV4CallOptions,
  SharedV3Warning,
} from '@ai-sdk/provider'
import { NVLMError } from '../core/errors.js'
import type { GenerateOptions } from '../nvlm/generate-options.js'
import type { ToolSet } from '../nvlm/tool-types.js'
import type { ToolChoice } from '../nvlm/tools.js'
import { readPrompt } from './prompt-messages.js'

/** What the AI SDK asks for, in version 3 or 4 of its provider interface. */
export type AnyCallOptions = LanguageModelV3CallOptions | LanguageModelV4CallOptions

/** A warning of either version. */
export type ModelWarning = Extract<SharedV3Warning, { type: 'unsupported' | 'other' }>

/** Options of `generate`, and what could not be done. */
export interface ReadCall {
  readonly options: GenerateOptions
  readonly warnings: readonly ModelWarning[]
}

/** Options that the AI SDK has no words for, by `providerOptions.nvlm`. */
const PASSED_ON = [
  'tiles',
  'applyExif',
  'minP',
  'repetitionPenalty',
  'logitBias',
  'noRepeatNgram',
  'minTokens',
  'logprobs',
  'promptLookup',
  'regex',
  'choices',
] as const satisfies readonly (keyof GenerateOptions)[]

/**
 * The AI SDK's options as those of `generate`.
 *
 * @throws {NVLMError} INVALID_OPTION for unknown names in `providerOptions.nvlm`, UNSUPPORTED for files that are no pictures
 */
export function readCall(call: AnyCallOptions): ReadCall {
  const { messages, leftOut } = readPrompt(call.prompt)
  const warnings = leftOut.map((feature): ModelWarning => ({ type: 'unsupported', feature }))
  const warn = (feature: string, details: string) => warnings.push({ type: 'unsupported', feature, details })
  const tools = readTools(call, warn)
  const schema = readFormat(call, tools.tools !== undefined, warn)
  if (
    'reasoning' in call &&
    call.reasoning !== undefined &&
    !/^(provider-default|none)$/.test(call.reasoning)
  ) {
    warn('reasoning', 'these models answer at once')
  }
  const { maxOutputTokens: maxTokens, stopSequences, abortSignal: signal } = call
  const { temperature, topP, topK, presencePenalty, frequencyPenalty, seed } = call
  const sampling = { temperature, topP, topK, presencePenalty, frequencyPenalty, seed, maxTokens, signal }
  // a schema says itself where an answer ends
  const stop = schema === undefined && stopSequences?.length ? { stop: stopSequences } : {}
  if (schema !== undefined && stopSequences?.length)
    warn('stopSequences', 'a schema says where the answer ends')
  return {
    options: { ...passedOn(call), ...sampling, ...stop, ...tools, ...(schema && { schema }), messages },
    warnings,
  }
}

type Warn = (feature: string, details: string) => void

function readTools(
  { tools = [], toolChoice }: AnyCallOptions,
  warn: Warn,
): { readonly tools?: ToolSet; readonly toolChoice?: ToolChoice } {
  const entries = tools.flatMap(tool => {
    if (tool.type === 'function') {
      const { name, description, inputSchema } = tool
      return [[name, { description, parameters: inputSchema as Record<string, unknown> }] as const]
    }
    warn(`tool ${tool.id}`, 'tools that a provider runs are not there')
    return []
  })
  if (entries.length === 0) return {}
  const choice = toolChoice?.type === 'tool' ? { name: toolChoice.toolName } : toolChoice?.type
  return { tools: Object.fromEntries(entries), ...(choice && { toolChoice: choice }) }
}

function readFormat({ responseFormat }: AnyCallOptions, hasTools: boolean, warn: Warn) {
  if (responseFormat?.type !== 'json') return undefined
  if (hasTools) {
    warn('responseFormat', 'beside tools an answer is not held to a schema')
    return undefined
  }
  return (responseFormat.schema ?? { type: 'object' }) as Record<string, unknown>
}

function passedOn({ providerOptions }: AnyCallOptions): GenerateOptions {
  const given = providerOptions?.nvlm ?? {}
  const names: readonly string[] = PASSED_ON
  const unknown = Object.keys(given).find(name => !names.includes(name))
  if (unknown === undefined) return given as GenerateOptions
  throw new NVLMError('INVALID_OPTION', `providerOptions.nvlm: unknown option "${unknown}"`, {
    hint: `Options are ${names.join(', ')}.`,
  })
}

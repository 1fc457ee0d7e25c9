import type {
  BaseChatModelCallOptions,
  BindToolsInput,
  ToolChoice as LangChainToolChoice,
} from '@langchain/core/language_models/chat_models'
import type { BaseMessage } from '@langchain/core/messages'
import { convertToOpenAITool } from '@langchain/core/utils/function_calling'
import type { GenerateOptions } from '../nvlm/generate-options.js'
import type { SchemaInput } from '../nvlm/schema-input.js'
import type { AnyTool, ToolSet } from '../nvlm/tool-types.js'
import type { ToolChoice } from '../nvlm/tools.js'
import { readMessages } from './chat-messages.js'

/** Names of the options of `generate` that a chat model is made with, or called with. */
const SAMPLING_FIELDS = [
  'temperature',
  'topP',
  'topK',
  'minP',
  'repetitionPenalty',
  'presencePenalty',
  'frequencyPenalty',
  'logitBias',
  'noRepeatNgram',
  'minTokens',
  'seed',
  'maxTokens',
  'logprobs',
  'tiles',
  'applyExif',
  'promptLookup',
] as const satisfies readonly (keyof GenerateOptions)[]

/** The options of these names. */
export type SamplingFields = Pick<GenerateOptions, (typeof SAMPLING_FIELDS)[number]>

/** Options of a call, laid over those of the model. */
export interface ChatNVLMCallOptions extends BaseChatModelCallOptions, SamplingFields {
  /** Tools of LangChain or in OpenAI's shape. */
  readonly tools?: BindToolsInput[] | undefined
  /** The answer is JSON that fits this schema. */
  readonly responseSchema?: SchemaInput | undefined
}

/** Options of `generate` for a call. */
export function readCall(
  messages: readonly BaseMessage[],
  defaults: SamplingFields,
  call: Omit<ChatNVLMCallOptions, 'signal'> & { readonly signal?: AbortSignal | undefined },
): GenerateOptions {
  const { tools = [], tool_choice, responseSchema, stop, signal } = call
  const sampling = { ...pickSampling(defaults), ...pickSampling(call) }
  const choice = readChoice(tool_choice)
  return {
    ...sampling,
    messages: readMessages(messages),
    signal,
    ...(stop?.length && { stop }),
    ...(tools.length > 0 && { tools: readTools(tools), ...(choice && { toolChoice: choice }) }),
    ...(responseSchema && { schema: responseSchema }),
  }
}

/** The sampling options among others, those that are given. */
export function pickSampling(options: SamplingFields): SamplingFields {
  const given = SAMPLING_FIELDS.filter(name => options[name] !== undefined)
  return Object.fromEntries(given.map(name => [name, options[name]]))
}

function readTools(tools: readonly BindToolsInput[]): ToolSet {
  const entries = tools.map((tool): [string, AnyTool] => {
    const { name, description, parameters } = convertToOpenAITool(tool as Record<string, unknown>).function
    return [name, { description, parameters: parameters ?? { type: 'object' } }]
  })
  return Object.fromEntries(entries)
}

/** LangChain's words, OpenAI's, or the name of a tool. */
function readChoice(choice: LangChainToolChoice | undefined): ToolChoice | undefined {
  if (choice === undefined || choice === 'auto' || choice === 'none') return choice
  if (choice === 'any' || choice === 'required') return 'required'
  if (typeof choice === 'string') return { name: choice }
  const { function: named, name } = choice as { function?: { name?: string }; name?: string }
  return { name: named?.name ?? name ?? '' }
}

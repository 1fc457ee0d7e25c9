import { NVLMError } from '../core/errors.js'
import type { PromptPiece } from './prompt-format.js'

/** A tool as the prompt describes it. */
export interface ToolDefinition {
  readonly name: string
  readonly description?: string | undefined
  /** JSON Schema of the arguments. */
  readonly parameters: unknown
}

/** A call of a tool in a conversation, in the OpenAI shape. */
export interface ToolCallMessagePart {
  readonly id: string
  readonly type: 'function'
  readonly function: {
    readonly name: string
    /** JSON text of an object. */
    readonly arguments: string
  }
}

/**
 * The part of the system turn that tells a model of its tools.
 *
 * @see Qwen/Qwen2.5-7B-Instruct `tokenizer_config.json`, `chat_template`
 */
export function writeToolSection(tools: readonly ToolDefinition[]): readonly PromptPiece[] {
  const definitions = tools.map(({ name, description, parameters }) => {
    const definition = { name, ...(description !== undefined && { description }), parameters }
    return `\n${pythonJSON({ type: 'function', function: definition })}`
  })
  return [
    {
      text: '# Tools\n\nYou may call one or more functions to assist with the user query.\n\nYou are provided with function signatures within <tools></tools> XML tags:\n<tools>',
      isControl: true,
    },
    { text: definitions.join(''), isControl: false },
    {
      text: '\n</tools>\n\nFor each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:\n<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>',
      isControl: true,
    },
  ]
}

/** Calls as the model writes them. What is inside the tags is content: it can't become a tag itself. */
export function writeToolCalls(calls: readonly ToolCallMessagePart[]): readonly PromptPiece[] {
  return calls.flatMap(({ function: { name, arguments: args } }, index) => [
    { text: `${index === 0 ? '' : '\n'}<tool_call>`, isControl: true },
    {
      text: `\n{"name": ${pythonJSON(name)}, "arguments": ${pythonJSON(parseArguments(name, args))}}\n`,
      isControl: false,
    },
    { text: '</tool_call>', isControl: true },
  ])
}

/** What a tool gave back, for the model to read. */
export function writeToolResponse(content: string): readonly PromptPiece[] {
  return [
    { text: '<tool_response>\n', isControl: true },
    { text: content, isControl: false },
    { text: '\n</tool_response>', isControl: true },
  ]
}

/** JSON as Python's `json.dumps(value, ensure_ascii=False)` spaces it, which the template uses. */
export function pythonJSON(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJSON).join(', ')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return `{${entries.map(([name, inner]) => `${JSON.stringify(name)}: ${pythonJSON(inner)}`).join(', ')}}`
}

function parseArguments(name: string, args: string): unknown {
  try {
    return JSON.parse(args)
  } catch (cause) {
    throw new NVLMError('INVALID_OPTION', `the arguments of a call of tool "${name}" are no JSON`, { cause })
  }
}

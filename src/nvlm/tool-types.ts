import type { GenerateResult } from './engine-client.js'
import type { MessageInput } from './message-input.js'
import type { InferSchema, SchemaInput } from './schema-input.js'

/** What a tool is told beside its arguments. */
export interface ToolContext {
  /** Aborts with the generation: hand it to what the tool waits for. */
  readonly signal: AbortSignal
  readonly toolCallId: string
}

/** Something that the model may call. */
export interface Tool<Parameters extends SchemaInput = SchemaInput, Result = unknown> {
  /** What it does, for the model to read. */
  readonly description?: string | undefined
  /** Schema of its arguments, an object. */
  readonly parameters: Parameters
  /** Does it. Without, the generation ends with the call, `finishReason` `tool-calls`. */
  readonly execute?:
    | ((args: InferSchema<Parameters>, context: ToolContext) => Result | Promise<Result>)
    | undefined
}

/** A tool whatever its arguments; a value of `ToolSet`. */
export interface AnyTool {
  readonly description?: string | undefined
  readonly parameters: SchemaInput
  readonly execute?: ((args: never, context: ToolContext) => unknown) | undefined
}

/** Tools by name. */
export type ToolSet = Readonly<Record<string, AnyTool>>

/**
 * Give a tool its types where it does not stand in a call of `generate` itself: the arguments of `execute` follow from
 * `parameters`.
 */
export function tool<Parameters extends SchemaInput, Result>(
  definition: Tool<Parameters, Result>,
): Tool<Parameters, Result> {
  return definition
}

/** A call that the model made, its arguments checked. */
export interface ToolCall<Name extends string = string, Arguments = unknown> {
  readonly id: string
  readonly name: Name
  readonly arguments: Arguments
}

/** What became of a call: what `execute` gave back, or what the model was told instead. */
export type ToolResult<Name extends string = string, Result = unknown> =
  | {
      readonly id: string
      readonly name: Name
      readonly result: Result
      readonly error?: undefined
    }
  | {
      readonly id: string
      /** As the model wrote it; empty if it wrote no name. */
      readonly name: string
      readonly result?: undefined
      readonly error: string
    }

/** Tools whose types are still to be found out. */
export type AnyTools = Readonly<Record<string, unknown>>

/** Tools as they stand in a call of `generate`: the arguments of each `execute` follow from its `parameters`. */
export type ToolInputs<Parameters extends Readonly<Record<string, SchemaInput>>> = {
  readonly [Name in keyof Parameters]: {
    readonly description?: string | undefined
    readonly parameters: Parameters[Name]
    readonly execute?: ((args: InferSchema<Parameters[Name]>, context: ToolContext) => unknown) | undefined
  }
}

type ArgumentsOf<OneTool> = OneTool extends { readonly parameters: infer Schema }
  ? InferSchema<Schema>
  : unknown

type ResultOf<OneTool> = OneTool extends {
  readonly execute?: ((args: never, context: ToolContext) => infer Result) | undefined
}
  ? Awaited<Result>
  : unknown

/** The calls of some tools, told apart by `name`. */
export type ToolCallOf<Tools extends AnyTools> = {
  [Name in keyof Tools & string]: ToolCall<Name, ArgumentsOf<Tools[Name]>>
}[keyof Tools & string]

/** What became of the calls of some tools, told apart by `error` and `name`. */
export type ToolResultOf<Tools extends AnyTools> = {
  [Name in keyof Tools & string]: ToolResult<Name, ResultOf<Tools[Name]>>
}[keyof Tools & string]

/** A finished run with tools. Its text, tokens, usage and timings are those of all its steps together. */
export interface ToolsResult<Tools extends AnyTools = ToolSet> extends GenerateResult {
  /** Every call, in order. */
  readonly toolCalls: readonly ToolCallOf<Tools>[]
  /** What became of them; none for tools without `execute`. */
  readonly toolResults: readonly ToolResultOf<Tools>[]
  /** The turns that this run added to the conversation: answers, calls and results. */
  readonly messages: readonly MessageInput[]
}

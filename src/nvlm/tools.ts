import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import type { AnswerFormat } from '../generation/answer-format.js'
import type { ToolDefinition } from '../tokenizer/tools.js'
import { functionSchema } from './check-options.js'
import { isStandardSchema, type ReadSchema, readSchema, type SchemaInput } from './schema-input.js'
import type { AnyTool, ToolSet } from './tool-types.js'

/** Which tools the model calls: as it likes, none, one of them in any case, this one in any case. */
export type ToolChoice = 'auto' | 'none' | 'required' | { readonly name: string }

/** Options of `generate` about tools. */
export interface ToolOptions {
  /** Tools that the model may call, by name. */
  readonly tools?: ToolSet | undefined
  /** Default `auto`. `required` and `{ name }` hold the first step to the grammar of a call. */
  readonly toolChoice?: ToolChoice | undefined
  /** Most runs of the model, each but the first with results of tools. Default 5, and 1 if no tool has `execute`. */
  readonly maxSteps?: number | undefined
  /**
   * Who is told that a call is wrong or `execute` threw: the model as the tool's result, to try again (default), or the
   * caller, by TOOL_FAILED.
   */
  readonly toolErrors?: 'model' | 'caller' | undefined
}

const toolSchema = z.strictObject({
  description: z.string('expected a string').optional(),
  parameters: z.custom<SchemaInput>(value => value !== undefined, 'expected a schema'),
  execute: functionSchema.optional(),
})

/** Options about tools, checked. */
export const toolShape = {
  tools: z
    .record(z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, 'expected a name of A-Z a-z 0-9 _ . -'), toolSchema)
    .refine(tools => Object.keys(tools).length > 0, 'expected one tool or more')
    .optional(),
  toolChoice: z
    .union(
      [z.enum(['auto', 'none', 'required']), z.strictObject({ name: z.string() })],
      'expected "auto", "none", "required" or { name }',
    )
    .optional(),
  maxSteps: z.int('expected an integer').min(1, 'expected an integer of 1 or more').optional(),
  toolErrors: z.enum(['model', 'caller'], 'expected "model" or "caller"').optional(),
}

/** A tool ready to be called. */
export interface ReadTool {
  readonly schema: ReadSchema
  readonly execute: AnyTool['execute']
  /** @throws {NVLMError} SCHEMA_MISMATCH */
  readonly checkArguments: (args: unknown) => Promise<unknown>
}

/** The tools of one generation. */
export interface ReadTools {
  readonly tools: ReadonlyMap<string, ReadTool>
  readonly definitions: readonly ToolDefinition[]
  /** What the first step is held to. */
  readonly format: AnswerFormat | undefined
  readonly maxSteps: number
  readonly toolErrors: 'model' | 'caller'
}

/**
 * Read checked options.
 *
 * @returns undefined without tools, or if none may be called
 * @throws {NVLMError} INVALID_OPTION, SCHEMA_UNSUPPORTED
 */
export function readTools(options: ToolOptions, name: string): ReadTools | undefined {
  const { tools, toolChoice = 'auto', maxSteps, toolErrors = 'model' } = options
  if (tools === undefined) {
    const stray = (['toolChoice', 'maxSteps', 'toolErrors'] as const).find(key => options[key] !== undefined)
    if (stray === undefined) return undefined
    throw new NVLMError('INVALID_OPTION', `${name}: "${stray}" without "tools"`)
  }
  const read = new Map(Object.entries(tools).map(([key, value]) => [key, readTool(key, value)]))
  const forced = forcedNames(toolChoice, [...read.keys()], name)
  if (toolChoice === 'none') return undefined
  const canExecute = [...read.values()].some(({ execute }) => execute)
  return {
    tools: read,
    definitions: [...read].map(([key, { schema }]) => ({
      name: key,
      description: tools[key]!.description,
      parameters: withoutDialect(schema.format.schema),
    })),
    format:
      forced.length === 0
        ? undefined
        : { type: 'tool-call', tools: forced.map(key => ({ name: key, ...read.get(key)!.schema.format })) },
    maxSteps: maxSteps ?? (canExecute ? 5 : 1),
    toolErrors,
  }
}

function readTool(name: string, { parameters, execute }: AnyTool): ReadTool {
  const schema = readSchema(parameters, `tool "${name}": parameters`)
  let check: ((value: unknown) => boolean) | undefined
  const checkArguments = async (args: unknown) => {
    if (isStandardSchema(parameters)) return schema.validate(args)
    if (check === undefined) {
      // all of what knows schemas hangs on it, and few pages have tools with plain JSON Schema
      const { createSchemaCheck } = await import('../generation/json-schema/schema-check.js')
      check = createSchemaCheck(schema.format.schema)
    }
    if (check(args)) return args
    throw new NVLMError('SCHEMA_MISMATCH', 'the arguments do not fit the schema of the parameters')
  }
  return { schema, execute, checkArguments }
}

function forcedNames(choice: ToolChoice, names: readonly string[], option: string): readonly string[] {
  if (choice === 'required') return names
  if (typeof choice === 'string') return []
  if (names.includes(choice.name)) return [choice.name]
  throw new NVLMError('INVALID_OPTION', `${option}: "toolChoice" names "${choice.name}", which is no tool`, {
    hint: `Tools are ${names.join(', ')}.`,
  })
}

/** The schema as the model reads it: which draft it is of is of no use there. */
function withoutDialect(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  const { $schema: _, ...rest } = schema as Record<string, unknown>
  return rest
}

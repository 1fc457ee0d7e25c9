import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import type { AnswerFormat } from '../generation/answer-format.js'
import type { GenerateResult } from './engine-client.js'
import type { Run } from './filtered-run.js'
import { readSchema, type SchemaInput } from './schema-input.js'
import { runWithTools } from './tool-run.js'
import { type ReadTools, readTools, type ToolOptions, toolShape } from './tools.js'

/** Options of `generate` about what the answer must look like. At most one of them. */
export interface FormatOptions {
  /**
   * The answer is JSON that fits this schema: of zod 4, of another library that follows Standard Schema, or plain JSON
   * Schema. The result's `object` is its value.
   */
  readonly schema?: SchemaInput | undefined
  /** The answer is a text that this matches as a whole. Look-around, back references and the flags i and m are refused. */
  readonly regex?: RegExp | string | undefined
  /** The answer is one of these. */
  readonly choices?: readonly string[] | undefined
}

/** A finished run whose answer was held to a schema. */
export interface ObjectResult<Output = unknown> extends GenerateResult {
  /** The value, as the schema's library gives it. */
  readonly object: Output
}

/** A finished run whose answer was held to choices. An output filter may make something else of the text. */
export interface ChoiceResult<Choice extends string = string> extends GenerateResult {
  readonly text: Choice
}

const FORMATS = ['schema', 'regex', 'choices'] as const

/** Options that would cut or bend an answer so that it no longer fits. */
const UNFIT = ['stop', 'minTokens', 'noRepeatNgram'] as const

/** Options about the answer, to be checked. */
export const outputShape = {
  schema: z.custom<SchemaInput>(value => value !== undefined, 'expected a schema').optional(),
  regex: z.union([z.instanceof(RegExp), z.string()], 'expected a regular expression').optional(),
  choices: z
    .array(z.string().min(1, 'expected a string that is not empty'), 'expected a list of strings')
    .min(1, 'expected one choice or more')
    .optional(),
  ...toolShape,
}

/** What becomes of the answer. */
export interface Output {
  /** What the model is held to; with tools each step has its own. */
  readonly format: AnswerFormat | undefined
  readonly tools: ReadTools | undefined
  /** Put around a run what makes its answer the result. */
  wrap(run: Run): Run
}

type Checked = FormatOptions & ToolOptions & Readonly<Partial<Record<(typeof UNFIT)[number], unknown>>>

/**
 * Read checked options.
 *
 * @throws {NVLMError} INVALID_OPTION, SCHEMA_UNSUPPORTED
 */
export function readOutput(options: Checked, name: string): Output {
  const tools = readTools(options, name)
  const given = FORMATS.filter(key => options[key] !== undefined)
  const [first, second = tools && 'tools'] = given
  if (first && second) {
    throw new NVLMError('INVALID_OPTION', `${name}: "${first}" and "${second}" exclude each other`)
  }
  const unfit = UNFIT.find(key => options[key] !== undefined)
  const isHeld = first !== undefined || tools?.format !== undefined
  if (isHeld && unfit) {
    throw new NVLMError(
      'INVALID_OPTION',
      `${name}: "${unfit}" and "${first ?? 'toolChoice'}" exclude each other`,
      { hint: 'An answer that is held to a format ends where the format says.' },
    )
  }
  if (tools) return { format: undefined, tools, wrap: run => runWithTools(run, tools) }
  if (options.schema !== undefined) return schemaOutput(options.schema, name)
  return { format: plainFormat(options), tools: undefined, wrap: run => run }
}

function plainFormat({ regex, choices }: FormatOptions): AnswerFormat | undefined {
  if (choices) return { type: 'choices', choices }
  if (regex === undefined) return undefined
  const { source, flags } = typeof regex === 'string' ? { source: regex, flags: '' } : regex
  return { type: 'regex', source, flags }
}

function schemaOutput(schema: SchemaInput, name: string): Output {
  const { format, validate } = readSchema(schema, `${name}: option "schema"`)
  return {
    format: { type: 'schema', ...format },
    tools: undefined,
    wrap: run => async (request, hooks) => {
      const result = await run(request, hooks)
      if (result.finishReason === 'aborted') return result
      const object: ObjectResult = { ...result, object: await validate(parseAnswer(result)) }
      return object
    },
  }
}

/** An output filter can leave something else than the JSON that the model wrote. */
function parseAnswer({ text, finishReason }: GenerateResult): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new NVLMError('SCHEMA_MISMATCH', 'the answer is no JSON after the output filters', {
      cause,
      details: { text, finishReason },
    })
  }
}

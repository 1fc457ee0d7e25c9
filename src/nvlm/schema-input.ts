import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import type { SchemaFormat } from '../generation/answer-format.js'
import type { JSONSchema } from '../generation/json-schema/json-schema.js'

/** What a schema's library says about a value. */
type ValidationResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
      }[]
    }

/**
 * A schema of zod 4, or of any other library that follows Standard Schema and can give itself as JSON Schema.
 *
 * @see https://standardschema.dev
 */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (
      value: unknown,
      options?: never,
    ) => ValidationResult<Output> | Promise<ValidationResult<Output>>
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined
    readonly jsonSchema?:
      | { readonly input: (options: { readonly target: 'draft-2020-12' }) => Record<string, unknown> }
      | undefined
  }
}

/** A schema: of zod 4 or another library, or plain JSON Schema. */
export type SchemaInput<Output = unknown> = StandardSchema<Output> | JSONSchema

/** Type of the values of a schema; `unknown` for plain JSON Schema. */
export type InferSchema<Schema> = Schema extends {
  readonly '~standard': { readonly types?: { readonly output: infer Output } | undefined }
}
  ? Output
  : unknown

/** A schema as plain data, and the check of its library. */
export interface ReadSchema {
  readonly format: SchemaFormat
  /** Gives the value as the library changed it. @throws {NVLMError} SCHEMA_MISMATCH naming what is wrong */
  readonly validate: (value: unknown) => Promise<unknown>
}

/**
 * Read a schema.
 *
 * @param name - option that it came in, for messages
 * @throws {NVLMError} INVALID_OPTION for what is no schema, SCHEMA_UNSUPPORTED if its library can't give it as JSON Schema
 */
export function readSchema(schema: SchemaInput, name: string): ReadSchema {
  if (!isStandardSchema(schema))
    return { format: { schema: plainJSON(schema, name) }, validate: async value => value }
  const { vendor, validate } = schema['~standard']
  const format = {
    schema: plainJSON(toJSONSchema(schema, name), name),
    closesObjects: true,
    matchesUnits: true,
  }
  return { format, validate: async value => settle(await validate(value), vendor) }
}

/** Is it the schema of a library, and not plain JSON Schema? */
export function isStandardSchema(schema: unknown): schema is StandardSchema {
  return (
    (typeof schema === 'object' || typeof schema === 'function') &&
    schema !== null &&
    typeof (schema as Partial<StandardSchema>)['~standard']?.validate === 'function'
  )
}

function toJSONSchema(schema: StandardSchema, name: string): unknown {
  const { vendor, jsonSchema } = schema['~standard']
  try {
    if (jsonSchema) return jsonSchema.input({ target: 'draft-2020-12' })
    if (vendor === 'zod') return z.toJSONSchema(schema as unknown as z.ZodType, { io: 'input' })
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new NVLMError('SCHEMA_UNSUPPORTED', `${name}: ${vendor} can't give it as JSON Schema: ${why}`, {
      cause,
    })
  }
  throw new NVLMError('INVALID_OPTION', `${name}: a schema of ${vendor} without JSON Schema`, {
    hint: "Convert it with the library's own function, and pass the JSON Schema.",
  })
}

/** The schema as data, cut loose from the caller's objects. */
function plainJSON(schema: unknown, name: string): JSONSchema {
  const isSchema = typeof schema === 'boolean' || (typeof schema === 'object' && schema !== null)
  if (!isSchema || Array.isArray(schema)) {
    throw new NVLMError(
      'INVALID_OPTION',
      `${name}: expected a schema of zod 4, a Standard Schema or JSON Schema`,
    )
  }
  try {
    return JSON.parse(JSON.stringify(schema)) as JSONSchema
  } catch (cause) {
    throw new NVLMError('INVALID_OPTION', `${name}: the JSON Schema can't be written as JSON`, { cause })
  }
}

function settle(result: ValidationResult<unknown>, vendor: string): unknown {
  if (!result.issues) return result.value
  const issues = result.issues.map(({ message, path = [] }) => {
    const names = path.map(part => String(typeof part === 'object' ? part.key : part))
    return names.length === 0 ? message : `${names.join('.')}: ${message}`
  })
  throw new NVLMError(
    'SCHEMA_MISMATCH',
    `the value does not pass the check of ${vendor}: ${issues.join('; ')}`,
    {
      hint: 'JSON Schema can not say what the check asks for (refine, transform); say it in the prompt, or try again.',
    },
  )
}

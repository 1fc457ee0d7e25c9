import { NVLMError } from '../../core/errors.js'

/** A JSON Schema of draft 2020-12, `true` for anything and `false` for nothing. */
export type JSONSchema = boolean | { readonly [keyword: string]: unknown }

/** Any JSON value. */
export type JSONValue =
  | null
  | boolean
  | number
  | string
  | readonly JSONValue[]
  | { readonly [name: string]: JSONValue }

/** The kinds of JSON values. */
export type JSONType = 'null' | 'boolean' | 'number' | 'string' | 'array' | 'object'

/** All of them, in the order in which they are tried. */
export const JSON_TYPES: readonly JSONType[] = ['object', 'array', 'string', 'number', 'boolean', 'null']

/** Kind of a value. */
export function jsonTypeOf(value: unknown): JSONType {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value as JSONType
}

/** Error for a schema that asks for what can't be held to. */
export function schemaUnsupported(path: string, what: string): NVLMError {
  return new NVLMError('SCHEMA_UNSUPPORTED', `schema at ${path}: ${what} is not supported`, {
    hint: 'docs/structured-output.md lists the keywords that are. Leave it out, and check the result for it yourself.',
  })
}

/** Error for what is no JSON Schema. */
export function schemaInvalid(path: string, problem: string): NVLMError {
  return new NVLMError('INVALID_OPTION', `schema at ${path}: ${problem}`)
}

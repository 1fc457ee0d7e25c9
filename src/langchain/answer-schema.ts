import { toJsonSchema } from '@langchain/core/utils/json_schema'
import { interopParseAsync, isInteropZodSchema } from '@langchain/core/utils/types'
import type { JSONSchema } from '../generation/json-schema/json-schema.js'
import { isStandardSchema, readSchema, type SchemaInput } from '../nvlm/schema-input.js'

/** A schema of LangChain's callers: what answers are held to, and how one becomes a value. */
export interface AnswerSchema {
  readonly format: SchemaInput
  /** @throws what the schema's library says is wrong; {NVLMError} SCHEMA_MISMATCH for another library than zod */
  parse(text: string): Promise<unknown>
}

/**
 * Read a schema of zod (3 or 4), of another library that follows Standard Schema, or JSON Schema.
 *
 * @throws {NVLMError} INVALID_OPTION, SCHEMA_UNSUPPORTED
 */
export function answerSchema(schema: SchemaInput): AnswerSchema {
  // zod 3 gives itself as JSON Schema by LangChain only
  if (isInteropZodSchema(schema)) {
    const format = toJsonSchema(schema) as JSONSchema
    return { format, parse: text => interopParseAsync(schema, JSON.parse(text)) }
  }
  const { validate } = readSchema(schema, 'withStructuredOutput')
  if (isStandardSchema(schema)) return { format: schema, parse: text => validate(JSON.parse(text)) }
  return { format: schema, parse: async text => JSON.parse(text) }
}

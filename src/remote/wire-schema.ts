import type { SchemaFormat } from '../generation/answer-format.js'

/** Keywords whose value is a schema, a list of schemas, or schemas by name. */
const ONE = ['additionalProperties', 'items', 'contains', 'propertyNames', 'not', 'if', 'then', 'else']
const LIST = ['allOf', 'anyOf', 'oneOf', 'prefixItems']
const BY_NAME = ['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas']

/**
 * A schema as a server reads it: that objects have no other properties than those named is said in words of JSON Schema.
 */
export function wireSchema({ schema, closesObjects = false }: SchemaFormat): unknown {
  return closesObjects ? closeObjects(schema) : schema
}

function closeObjects(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return schema
  const closed = Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => [keyword, closeInside(keyword, value)]),
  )
  const isOpen = 'properties' in closed && !('additionalProperties' in closed)
  return isOpen ? { ...closed, additionalProperties: false } : closed
}

function closeInside(keyword: string, value: unknown): unknown {
  if (ONE.includes(keyword)) return closeObjects(value)
  if (LIST.includes(keyword) && Array.isArray(value)) return value.map(closeObjects)
  if (!BY_NAME.includes(keyword) || typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, closeObjects(inner)]))
}

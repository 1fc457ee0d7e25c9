import { type JSONSchema, schemaInvalid, schemaUnsupported } from './json-schema.js'

type Check = (value: unknown) => boolean

const isCount: Check = value => Number.isSafeInteger(value) && (value as number) >= 0
const isNumber: Check = value => typeof value === 'number' && Number.isFinite(value)
const isString: Check = value => typeof value === 'string'
const isSchema: Check = value =>
  typeof value === 'boolean' || (typeof value === 'object' && value !== null && !Array.isArray(value))
const isSchemaList: Check = value => Array.isArray(value) && value.length > 0 && value.every(isSchema)
const isSchemaMap: Check = value => isSchema(value) && Object.values(value as object).every(isSchema)
const isNameList: Check = value => Array.isArray(value) && value.every(isString)
const isAnything: Check = () => true
const TYPE_NAMES = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object']
const isTypeName: Check = value => TYPE_NAMES.includes(value as string)

/** Keywords that are held to, with what their values must be. */
const SUPPORTED: Readonly<Record<string, Check>> = {
  type: value => isTypeName(value) || (Array.isArray(value) && value.length > 0 && value.every(isTypeName)),
  enum: value => Array.isArray(value),
  const: isAnything,
  properties: isSchemaMap,
  required: isNameList,
  additionalProperties: isSchema,
  propertyNames: isSchema,
  prefixItems: isSchemaList,
  items: value => isSchema(value) || isSchemaList(value),
  additionalItems: isSchema,
  minItems: isCount,
  maxItems: isCount,
  minLength: isCount,
  maxLength: isCount,
  pattern: isString,
  format: isString,
  minimum: isNumber,
  maximum: isNumber,
  exclusiveMinimum: isNumber,
  exclusiveMaximum: isNumber,
  multipleOf: value => isNumber(value) && (value as number) > 0,
  allOf: isSchemaList,
  anyOf: isSchemaList,
  oneOf: isSchemaList,
  not: isSchema,
  $ref: isString,
}

/** Keywords that say nothing about which values are valid. */
const ANNOTATIONS = new Set([
  '$schema',
  '$id',
  'id',
  '$anchor',
  '$comment',
  '$vocabulary',
  '$defs',
  'definitions',
  'title',
  'description',
  'default',
  'examples',
  'deprecated',
  'readOnly',
  'writeOnly',
  'contentEncoding',
  'contentMediaType',
  'contentSchema',
])

/** Keywords of JSON Schema that can't be held to, with the values for which they ask for nothing. */
const UNSUPPORTED: Readonly<Record<string, Check>> = {
  minProperties: value => value === 0,
  uniqueItems: value => value === false,
  patternProperties: value => isSchemaMap(value) && Object.keys(value as object).length === 0,
}

/** Schemas inside of a schema, each with its place. */
export function subschemas(schema: JSONSchema): readonly (readonly [path: string, schema: JSONSchema])[] {
  if (typeof schema === 'boolean') return []
  const found: (readonly [string, JSONSchema])[] = []
  for (const [keyword, value] of Object.entries(schema)) {
    if (['properties', '$defs', 'definitions'].includes(keyword) && isSchemaMap(value)) {
      for (const [name, inner] of Object.entries(value as Record<string, JSONSchema>)) {
        found.push([`${keyword}/${escapePointer(name)}`, inner])
      }
    } else if (
      ['allOf', 'anyOf', 'oneOf', 'prefixItems', 'items'].includes(keyword) &&
      Array.isArray(value)
    ) {
      for (const [index, inner] of value.entries()) found.push([`${keyword}/${index}`, inner])
    } else if (
      ['items', 'additionalItems', 'additionalProperties', 'propertyNames', 'not'].includes(keyword) &&
      isSchema(value)
    ) {
      found.push([keyword, value as JSONSchema])
    }
  }
  return found
}

/**
 * Check one schema's keywords, without those inside of it.
 *
 * @throws {NVLMError} SCHEMA_UNSUPPORTED naming a keyword that can't be held to or is unknown, INVALID_OPTION for a
 * value that a keyword can't have
 */
export function checkKeywords(schema: JSONSchema, path: string): void {
  if (!isSchema(schema)) throw schemaInvalid(path, 'expected an object, true or false')
  if (typeof schema === 'boolean') return
  for (const [keyword, value] of Object.entries(schema)) {
    const check = SUPPORTED[keyword]
    if (check) {
      if (!check(value)) throw schemaInvalid(path, `"${keyword}" can't be ${JSON.stringify(value)}`)
    } else if (!ANNOTATIONS.has(keyword) && !keyword.startsWith('x-') && !UNSUPPORTED[keyword]?.(value)) {
      throw schemaUnsupported(path, `keyword "${keyword}"`)
    }
  }
  if (schema.not !== undefined && !isEverything(schema.not)) {
    throw schemaUnsupported(path, 'keyword "not" with a schema that is not {} or true')
  }
}

/** `true` or `{}`, which every value fits. */
export function isEverything(schema: unknown): boolean {
  return (
    schema === true || (isSchema(schema) && schema !== false && Object.keys(schema as object).length === 0)
  )
}

/** A name as part of a JSON pointer. */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

import { JSON_TYPES, type JSONSchema, type JSONType, type JSONValue, jsonTypeOf } from './json-schema.js'

/** Schemas that a value must fit all of. */
export type Conjunction = readonly JSONSchema[]

/** What one schema says about an object's properties. */
export interface ObjectPart {
  readonly properties: ReadonlyMap<string, JSONSchema>
  readonly additional: JSONSchema | undefined
}

/** What one schema says about an array's items. */
export interface ArrayPart {
  readonly prefixItems: readonly JSONSchema[]
  readonly items: JSONSchema | undefined
}

/** All that one alternative of a schema asks for, keyword by keyword, without references and combinations. */
export interface Facets {
  readonly types: ReadonlySet<JSONType>
  /** Of `enum` and `const`: the only values, if any. */
  readonly values: readonly JSONValue[] | undefined
  readonly isInteger: boolean
  readonly minimum: number | undefined
  readonly exclusiveMinimum: number | undefined
  readonly maximum: number | undefined
  readonly exclusiveMaximum: number | undefined
  readonly multipleOf: readonly number[]
  readonly minLength: number
  readonly maxLength: number | undefined
  readonly patterns: readonly string[]
  readonly formats: readonly string[]
  readonly objectParts: readonly ObjectPart[]
  readonly required: readonly string[]
  readonly propertyNames: Conjunction
  readonly arrayParts: readonly ArrayPart[]
  readonly minItems: number
  readonly maxItems: number | undefined
}

type Keywords = Readonly<Record<string, unknown>>

/** The facets of one schema's own keywords. */
export function ownFacets(schema: Keywords): Facets {
  const typeNames = schema.type === undefined ? undefined : [schema.type].flat()
  const isInteger = typeNames?.includes('integer') === true && !typeNames.includes('number')
  const types = typeNames?.map(name => (name === 'integer' ? 'number' : name) as JSONType)
  const isNothing = schema.not !== undefined
  const values = [schema.enum, schema.const === undefined ? undefined : [schema.const]]
  const pattern = schema.pattern as string | undefined
  return {
    types: new Set(isNothing ? [] : (types ?? JSON_TYPES)),
    values: values.reduce<readonly JSONValue[] | undefined>(
      (left, right) => commonValues(left, right as readonly JSONValue[] | undefined),
      undefined,
    ),
    isInteger,
    minimum: schema.minimum as number | undefined,
    exclusiveMinimum: schema.exclusiveMinimum as number | undefined,
    maximum: schema.maximum as number | undefined,
    exclusiveMaximum: schema.exclusiveMaximum as number | undefined,
    multipleOf: schema.multipleOf === undefined ? [] : [schema.multipleOf as number],
    minLength: (schema.minLength as number | undefined) ?? 0,
    maxLength: schema.maxLength as number | undefined,
    patterns: pattern === undefined ? [] : [pattern],
    // with a pattern beside it, a format only says what the pattern is for (zod writes them so)
    formats: schema.format === undefined || pattern !== undefined ? [] : [schema.format as string],
    objectParts: ownObjectParts(schema),
    required: (schema.required as readonly string[] | undefined) ?? [],
    propertyNames: schema.propertyNames === undefined ? [] : [schema.propertyNames as JSONSchema],
    arrayParts: ownArrayParts(schema),
    minItems: (schema.minItems as number | undefined) ?? 0,
    maxItems: schema.maxItems as number | undefined,
  }
}

function ownObjectParts(schema: Keywords): readonly ObjectPart[] {
  const { properties, additionalProperties: additional } = schema
  if (properties === undefined && additional === undefined) return []
  const entries = Object.entries((properties ?? {}) as Record<string, JSONSchema>)
  return [{ properties: new Map(entries), additional: additional as JSONSchema | undefined }]
}

function ownArrayParts(schema: Keywords): readonly ArrayPart[] {
  const { prefixItems, items, additionalItems } = schema
  // draft 7 and before: a list of `items` with `additionalItems` behind it
  if (Array.isArray(items)) return [{ prefixItems: items, items: additionalItems as JSONSchema | undefined }]
  if (prefixItems === undefined && items === undefined) return []
  return [
    {
      prefixItems: (prefixItems as readonly JSONSchema[] | undefined) ?? [],
      items: items as JSONSchema | undefined,
    },
  ]
}

/** What both ask for. */
export function mergeFacets(a: Facets, b: Facets): Facets {
  return {
    types: new Set([...a.types].filter(type => b.types.has(type))),
    values: commonValues(a.values, b.values),
    isInteger: a.isInteger || b.isInteger,
    minimum: largest(a.minimum, b.minimum),
    exclusiveMinimum: largest(a.exclusiveMinimum, b.exclusiveMinimum),
    maximum: smallest(a.maximum, b.maximum),
    exclusiveMaximum: smallest(a.exclusiveMaximum, b.exclusiveMaximum),
    multipleOf: [...a.multipleOf, ...b.multipleOf],
    minLength: Math.max(a.minLength, b.minLength),
    maxLength: smallest(a.maxLength, b.maxLength),
    patterns: [...new Set([...a.patterns, ...b.patterns])],
    formats: [...new Set([...a.formats, ...b.formats])],
    objectParts: [...a.objectParts, ...b.objectParts],
    required: [...new Set([...a.required, ...b.required])],
    propertyNames: [...a.propertyNames, ...b.propertyNames],
    arrayParts: [...a.arrayParts, ...b.arrayParts],
    minItems: Math.max(a.minItems, b.minItems),
    maxItems: smallest(a.maxItems, b.maxItems),
  }
}

/** The kinds of values that are possible, those of `values` if there are some. */
export function possibleTypes({ types, values }: Facets): ReadonlySet<JSONType> {
  return values ? new Set(values.map(jsonTypeOf).filter(type => types.has(type))) : types
}

/** The schemas of a property; those of every other property for a name that no part knows. */
export function propertySchemas({ objectParts }: Facets, name: string | undefined): Conjunction {
  return objectParts.flatMap(({ properties, additional }) => {
    const own = name === undefined ? undefined : properties.get(name)
    const schema = own ?? additional
    return schema === undefined ? [] : [schema]
  })
}

/** The schemas of an item. */
export function itemSchemas({ arrayParts }: Facets, index: number): Conjunction {
  return arrayParts.flatMap(({ prefixItems, items }) => {
    const schema = prefixItems[index] ?? items
    return schema === undefined ? [] : [schema]
  })
}

/** Equal as JSON Schema sees it: without the order of properties. */
export function equalValues(a: JSONValue, b: JSONValue): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const [left, right] = [Object.entries(a), b as Readonly<Record<string, JSONValue>>]
  return (
    left.length === Object.keys(b).length &&
    left.every(([name, value]) => Object.hasOwn(right, name) && equalValues(value, right[name]!))
  )
}

function commonValues(
  a: readonly JSONValue[] | undefined,
  b: readonly JSONValue[] | undefined,
): readonly JSONValue[] | undefined {
  if (a === undefined || b === undefined) return a ?? b
  return a.filter(value => b.some(other => equalValues(value, other)))
}

function largest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b)
}

function smallest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.min(a, b)
}

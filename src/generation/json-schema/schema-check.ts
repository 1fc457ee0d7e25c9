import { terminalNode } from '../constraint/grammar.js'
import { GrammarStates } from '../constraint/grammar-states.js'
import { type Conjunction, equalValues, type Facets, itemSchemas, propertySchemas } from './facets.js'
import { type JSONSchema, type JSONValue, jsonTypeOf } from './json-schema.js'
import { numberTerminal } from './number-grammar.js'
import { isClosed } from './object-grammar.js'
import { SchemaDocument } from './schema-document.js'
import { SchemaCompiler, type SchemaGrammarOptions } from './schema-grammar.js'
import { stringTerminal } from './string-grammar.js'

/** Tells whether a value fits, whatever the order of its properties. */
export type SchemaCheck = (value: unknown) => boolean

/**
 * A check for values that were not held to the schema while they were written.
 *
 * @throws {NVLMError} SCHEMA_UNSUPPORTED, INVALID_OPTION
 */
export function createSchemaCheck(schema: JSONSchema, options: SchemaGrammarOptions = {}): SchemaCheck {
  const document = new SchemaDocument(schema)
  const compiler = new SchemaCompiler(document, options)
  compiler.compile()
  return value => fits(compiler, [document.root], value as JSONValue)
}

function fits(compiler: SchemaCompiler, schemas: Conjunction, value: JSONValue): boolean {
  return compiler.facets(schemas).some(facets => fitsFacets(compiler, facets, value))
}

function fitsFacets(compiler: SchemaCompiler, facets: Facets, value: JSONValue): boolean {
  const type = jsonTypeOf(value)
  if (!facets.types.has(type)) return false
  if (facets.values && !facets.values.some(known => equalValues(known, value))) return false
  if (type === 'object') return fitsObject(compiler, facets, value as Readonly<Record<string, JSONValue>>)
  if (type === 'array') return fitsArray(compiler, facets, value as readonly JSONValue[])
  if (type === 'string') return accepts(stringTerminal(facets, compiler.options), value)
  return type !== 'number' || accepts(numberTerminal(facets), value)
}

function accepts(terminal: Parameters<typeof terminalNode>[0], value: JSONValue): boolean {
  return new GrammarStates(terminalNode(terminal)).accepts(JSON.stringify(value))
}

function fitsArray(compiler: SchemaCompiler, facets: Facets, items: readonly JSONValue[]): boolean {
  if (items.length < facets.minItems || items.length > (facets.maxItems ?? Infinity)) return false
  return items.every((item, index) => fits(compiler, itemSchemas(facets, index), item))
}

function fitsObject(
  compiler: SchemaCompiler,
  facets: Facets,
  object: Readonly<Record<string, JSONValue>>,
): boolean {
  if (facets.required.some(name => !Object.hasOwn(object, name))) return false
  const areOthersOut = isClosed(compiler, facets)
  return Object.entries(object).every(([name, value]) => {
    const isNamed = facets.objectParts.some(({ properties }) => properties.has(name))
    if (areOthersOut && !isNamed) return false
    return fits(compiler, facets.propertyNames, name) && fits(compiler, propertySchemas(facets, name), value)
  })
}

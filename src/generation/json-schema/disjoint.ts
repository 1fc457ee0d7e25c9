import { intersectAutomata } from '../constraint/text-automaton.js'
import { equalValues, type Facets, possibleTypes, propertySchemas } from './facets.js'
import type { JSONType } from './json-schema.js'
import { isClosed } from './object-grammar.js'
import type { SchemaCompiler } from './schema-grammar.js'
import { stringAutomaton } from './string-grammar.js'

/** How deep properties of properties are compared. */
const MAX_DEPTH = 4

/**
 * Have two alternatives surely no value in common?
 *
 * Seen are: different types, different values of `enum` or `const`, ranges, lengths and patterns that don't meet, and
 * objects with a required property for which one of these holds, such as the discriminator of a union.
 */
export function areDisjoint(compiler: SchemaCompiler, a: Facets, b: Facets, depth = 0): boolean {
  const others = possibleTypes(b)
  const shared = [...possibleTypes(a)].filter(type => others.has(type))
  if (shared.length === 0) return true
  if (a.values && b.values) {
    const { values } = b
    return !a.values.some(value => values.some(other => equalValues(value, other)))
  }
  if (a.values) return a.values.every(value => isScalar(value) && !compiler.fits(value, b))
  if (b.values) return b.values.every(value => isScalar(value) && !compiler.fits(value, a))
  return shared.every(type => areTypeDisjoint(compiler, type, a, b, depth))
}

function areTypeDisjoint(
  compiler: SchemaCompiler,
  type: JSONType,
  a: Facets,
  b: Facets,
  depth: number,
): boolean {
  if (type === 'number') return isAbove(a, b) || isAbove(b, a)
  if (type === 'string') return areStringsDisjoint(compiler, a, b)
  if (type === 'array') return a.minItems > (b.maxItems ?? Infinity) || b.minItems > (a.maxItems ?? Infinity)
  if (type === 'object') return depth < MAX_DEPTH && areObjectsDisjoint(compiler, a, b, depth)
  return false
}

/** Are all numbers of `a` above all of `b`? */
function isAbove(a: Facets, b: Facets): boolean {
  const low = Math.max(a.minimum ?? -Infinity, a.exclusiveMinimum ?? -Infinity)
  const high = Math.min(b.maximum ?? Infinity, b.exclusiveMaximum ?? Infinity)
  return low > high || (low === high && (a.exclusiveMinimum === low || b.exclusiveMaximum === high))
}

function areStringsDisjoint(compiler: SchemaCompiler, a: Facets, b: Facets): boolean {
  if (a.minLength > (b.maxLength ?? Infinity) || b.minLength > (a.maxLength ?? Infinity)) return true
  const [left, right] = [a, b].map(facets => stringAutomaton(facets, compiler.options))
  return left !== undefined && right !== undefined && intersectAutomata(left, right).numStates === 0
}

function areObjectsDisjoint(compiler: SchemaCompiler, a: Facets, b: Facets, depth: number): boolean {
  const isRuledOut = (facets: Facets, name: string) =>
    isClosed(compiler, facets) && !facets.objectParts.some(({ properties }) => properties.has(name))
  const clash = (name: string) => {
    const [inA, inB] = [propertySchemas(a, name), propertySchemas(b, name)]
    // a union inside of itself decides nothing
    if (compiler.isOpen(inA) || compiler.isOpen(inB)) return false
    const right = compiler.facets(inB)
    return compiler.facets(inA).every(x => right.every(y => areDisjoint(compiler, x, y, depth + 1)))
  }
  if (a.required.some(name => isRuledOut(b, name)) || b.required.some(name => isRuledOut(a, name)))
    return true
  // a value of both has every property that one side requires, and there it must fit both
  return [...new Set([...a.required, ...b.required])].some(clash)
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null
}

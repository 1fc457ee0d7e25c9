import { type Conjunction, type Facets, mergeFacets, ownFacets } from './facets.js'
import { type JSONSchema, schemaUnsupported } from './json-schema.js'
import type { SchemaDocument } from './schema-document.js'

/** Most alternatives of one value, since those of `allOf` multiply. */
const MAX_ALTERNATIVES = 500

/** Tells whether two alternatives have no value in common. */
export type AreDisjoint = (a: Facets, b: Facets) => boolean

/**
 * The alternatives of a value that must fit all of some schemas: it fits them if it fits one alternative.
 *
 * `$ref` and `allOf` are followed, `anyOf` and `oneOf` spread out. A `oneOf` whose branches could fit the same value is
 * refused, since "exactly one" then is no list of alternatives.
 *
 * @throws {NVLMError} SCHEMA_UNSUPPORTED
 */
export function alternativesOf(
  document: SchemaDocument,
  schemas: Conjunction,
  areDisjoint: AreDisjoint,
): readonly Facets[] {
  return new Spreader(document, areDisjoint).spread(schemas)
}

class Spreader {
  constructor(
    private readonly document: SchemaDocument,
    private readonly areDisjoint: AreDisjoint,
  ) {}

  spread(schemas: Conjunction): readonly Facets[] {
    return this.conjoin(schemas, new Set())
  }

  private conjoin(schemas: Conjunction, met: ReadonlySet<JSONSchema>): readonly Facets[] {
    let alternatives: readonly Facets[] = [ownFacets({})]
    for (const schema of schemas) {
      const more = this.one(schema, met)
      alternatives = alternatives.flatMap(left => more.map(right => mergeFacets(left, right)))
      if (alternatives.length > MAX_ALTERNATIVES) {
        throw schemaUnsupported(
          this.document.pathOf(schema),
          `a combination of more than ${MAX_ALTERNATIVES} alternatives`,
        )
      }
    }
    return alternatives
  }

  /** @param met - the schemas that led here without going into a property or item */
  private one(schema: JSONSchema, met: ReadonlySet<JSONSchema>): readonly Facets[] {
    if (schema === true) return [ownFacets({})]
    if (schema === false) return []
    const path = this.document.pathOf(schema)
    if (met.has(schema))
      throw schemaUnsupported(path, 'a schema that contains itself without a property or item between')
    const inside = new Set([...met, schema])
    const { allOf = [], anyOf, oneOf, $ref } = schema as Readonly<Record<string, readonly JSONSchema[]>>
    const parts: (readonly Facets[])[] = [[ownFacets(schema)]]
    if ($ref !== undefined) parts.push(this.one(this.document.resolve(String($ref), path), inside))
    parts.push(this.conjoin(allOf, inside))
    if (anyOf) parts.push(anyOf.flatMap(branch => this.one(branch, inside)))
    if (oneOf) parts.push(this.exclusive(oneOf, inside, path))
    return parts.reduce((left, right) => left.flatMap(a => right.map(b => mergeFacets(a, b))))
  }

  private exclusive(branches: Conjunction, met: ReadonlySet<JSONSchema>, path: string): readonly Facets[] {
    const spread = branches.map(branch => this.one(branch, met))
    for (const [index, left] of spread.entries()) {
      for (const [offset, right] of spread.slice(index + 1).entries()) {
        if (left.every(a => right.every(b => this.areDisjoint(a, b)))) continue
        throw schemaUnsupported(
          path,
          `"oneOf" whose branches ${index} and ${index + 1 + offset} may fit the same value`,
        )
      }
    }
    return spread.flat()
  }
}

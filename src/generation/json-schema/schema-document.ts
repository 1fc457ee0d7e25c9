import { type JSONSchema, schemaInvalid, schemaUnsupported } from './json-schema.js'
import { checkKeywords, escapePointer, subschemas } from './keywords.js'

/** Most schemas inside of one document. */
const MAX_SCHEMAS = 20_000
const MAX_DEPTH = 500

/** A JSON Schema with all that is inside of it, checked, with `$ref` resolved. */
export class SchemaDocument {
  private readonly paths = new Map<JSONSchema, string>()
  private readonly byPath = new Map<string, JSONSchema>()
  private readonly byAnchor = new Map<string, JSONSchema>()

  /**
   * @throws {NVLMError} SCHEMA_UNSUPPORTED or INVALID_OPTION naming the place and the keyword
   */
  constructor(readonly root: JSONSchema) {
    this.add(root, '#', 0)
    for (const [schema, path] of this.paths) {
      if (typeof schema === 'object' && typeof schema.$ref === 'string') this.resolve(schema.$ref, path)
    }
  }

  /** Where a schema stands, as a JSON pointer. */
  pathOf(schema: JSONSchema): string {
    return this.paths.get(schema) ?? '#'
  }

  /** The schema that a `$ref` names. */
  resolve(ref: string, path: string): JSONSchema {
    const [, fragment] = /^#(.*)$/.exec(ref) ?? []
    if (fragment === undefined) throw schemaUnsupported(path, `"$ref" to another document, "${ref}",`)
    const found =
      fragment === '' || fragment.startsWith('/')
        ? this.byPath.get(`#${normalisePointer(fragment)}`)
        : this.byAnchor.get(fragment)
    if (found === undefined) throw schemaInvalid(path, `"$ref" names "${ref}", where there is no schema`)
    return found
  }

  private add(schema: JSONSchema, path: string, depth: number): void {
    if (depth > MAX_DEPTH || this.byPath.size >= MAX_SCHEMAS) {
      throw schemaUnsupported(path, `more than ${MAX_DEPTH} levels or ${MAX_SCHEMAS} schemas`)
    }
    checkKeywords(schema, path)
    this.byPath.set(path, schema)
    if (typeof schema === 'boolean') return
    if (!this.paths.has(schema)) this.paths.set(schema, path)
    if (typeof schema.$anchor === 'string') this.byAnchor.set(schema.$anchor, schema)
    if (depth > 0 && typeof schema.$id === 'string') throw schemaUnsupported(path, '"$id" inside of a schema')
    for (const [place, inner] of subschemas(schema)) this.add(inner, `${path}/${place}`, depth + 1)
  }
}

/** A pointer of a URI fragment in the spelling of `subschemas`. */
function normalisePointer(fragment: string): string {
  let decoded = fragment
  try {
    decoded = decodeURIComponent(fragment)
  } catch {
    // not percent-encoded after all: it names nothing, or itself
  }
  const names = decoded.split('/').map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
  return names.map(escapePointer).join('/')
}

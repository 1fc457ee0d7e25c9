import { NVLMError } from '../../core/errors.js'
import { choiceNode, type GrammarNode, lazyNode, literalNode, terminalNode } from '../constraint/grammar.js'
import { GrammarStates } from '../constraint/grammar-states.js'
import { DEAD } from '../constraint/terminal.js'
import { alternativesOf } from './alternatives.js'
import { arrayGrammar } from './array-grammar.js'
import { areDisjoint } from './disjoint.js'
import { type Conjunction, equalValues, type Facets } from './facets.js'
import {
  type JSONSchema,
  type JSONType,
  type JSONValue,
  jsonTypeOf,
  schemaUnsupported,
} from './json-schema.js'
import { numberTerminal } from './number-grammar.js'
import { objectGrammar } from './object-grammar.js'
import { SchemaDocument } from './schema-document.js'
import { stringTerminal } from './string-grammar.js'

/** How schemas are read. */
export interface SchemaGrammarOptions {
  /**
   * Objects without `additionalProperties` have no other properties than those named. Default false, as JSON Schema
   * says; true for schemas of libraries that cut off what they don't know.
   */
  readonly closesObjects?: boolean | undefined
  /** Patterns are matched by UTF-16 units, as in JavaScript. Default false: by code points, as JSON Schema says. */
  readonly matchesUnits?: boolean | undefined
}

/** Most different values of one schema. */
const MAX_VALUES = 5000

/**
 * The grammar of all JSON texts whose values fit a schema.
 *
 * The texts are as `JSON.stringify` writes them: no white space, one spelling a string; properties come in the order
 * of the schema, others behind them.
 *
 * @throws {NVLMError} SCHEMA_UNSUPPORTED naming the place and keyword; INVALID_OPTION if no value can fit
 */
export function schemaGrammar(schema: JSONSchema, options: SchemaGrammarOptions = {}): GrammarNode {
  const grammar = new SchemaCompiler(new SchemaDocument(schema), options).compile()
  if (new GrammarStates(grammar).isPossible) return grammar
  throw new NVLMError('INVALID_OPTION', 'schema at #: no value can fit it')
}

/** Turns schemas into grammar nodes; equal conjunctions share one. */
export class SchemaCompiler {
  private readonly nodes = new Map<string, GrammarNode>()
  private readonly schemaIds = new Map<JSONSchema, number>()
  private readonly waiting: (() => void)[] = []
  private readonly open = new Set<string>()
  private readonly alternatives = new Map<string, readonly Facets[]>()

  constructor(
    readonly document: SchemaDocument,
    readonly options: SchemaGrammarOptions,
  ) {}

  /** The grammar of the root. All of it is made now, so that what is unsupported is found now. */
  compile(): GrammarNode {
    const root = this.value([this.document.root])
    for (let make = this.waiting.pop(); make; make = this.waiting.pop()) make()
    return root
  }

  /** The grammar of a value that must fit all of some schemas. */
  value(schemas: Conjunction): GrammarNode {
    const key = this.keyOf(schemas)
    const known = this.nodes.get(key)
    if (known) return known
    if (this.nodes.size >= MAX_VALUES) {
      throw schemaUnsupported('#', `a schema of more than ${MAX_VALUES} different values`)
    }
    let made: GrammarNode | undefined
    const node = lazyNode(() => {
      made ??= this.make(schemas)
      return made
    })
    this.nodes.set(key, node)
    this.waiting.push(() => {
      made ??= this.make(schemas)
    })
    return node
  }

  /** The alternatives of such a value. */
  facets(schemas: Conjunction): readonly Facets[] {
    const key = this.keyOf(schemas)
    const known = this.alternatives.get(key)
    if (known) return known
    this.open.add(key)
    try {
      const made = alternativesOf(this.document, schemas, (a, b) => areDisjoint(this, a, b))
      this.alternatives.set(key, made)
      return made
    } finally {
      this.open.delete(key)
    }
  }

  /** Are the alternatives of such a value being looked for right now? */
  isOpen(schemas: Conjunction): boolean {
    return this.open.has(this.keyOf(schemas))
  }

  /** Does a value without objects inside fit one alternative, whatever its `values` say? */
  fits(value: JSONValue, facets: Facets): boolean {
    const type = jsonTypeOf(value)
    if (!facets.types.has(type)) return false
    return new GrammarStates(this.ofType(type, facets)).accepts(JSON.stringify(value))
  }

  /** Where the first of some schemas stands. */
  pathOf(schemas: Conjunction): string {
    const [first] = schemas
    return first === undefined ? '#' : this.document.pathOf(first)
  }

  private make(schemas: Conjunction): GrammarNode {
    const path = this.pathOf(schemas)
    return choiceNode(
      this.facets(schemas).flatMap(facets => {
        if (facets.values) return [literalNode(...this.literals(facets.values, facets, path))]
        return [...facets.types].map(type => this.ofType(type, facets))
      }),
    )
  }

  private literals(values: readonly JSONValue[], facets: Facets, path: string): readonly string[] {
    const fitting = values.filter(value => {
      if (!holdsObject(value)) return this.fits(value, facets)
      // an object's text has its properties in the order of the enum, which the schema's own order need not be
      if (facets.objectParts.length > 0 || facets.arrayParts.length > 0 || facets.required.length > 0) {
        throw schemaUnsupported(
          path,
          'an object in "enum" or "const" beside keywords for its properties or items',
        )
      }
      return facets.types.has(jsonTypeOf(value))
    })
    const unique = fitting.filter(
      (value, index) => fitting.findIndex(other => equalValues(value, other)) === index,
    )
    return unique.map(value => JSON.stringify(value))
  }

  private ofType(type: JSONType, facets: Facets): GrammarNode {
    switch (type) {
      case 'null':
        return literalNode('null')
      case 'boolean':
        return literalNode('true', 'false')
      case 'number':
        return terminalNode(numberTerminal(facets))
      case 'string':
        return terminalNode(stringTerminal(facets, this.options))
      case 'array':
        return arrayGrammar(this, facets)
      case 'object':
        return objectGrammar(this, facets)
    }
  }

  private keyOf(schemas: Conjunction): string {
    const ids = schemas.map(schema => {
      const known = this.schemaIds.get(schema)
      if (known !== undefined) return known
      this.schemaIds.set(schema, this.schemaIds.size)
      return this.schemaIds.size - 1
    })
    return [...new Set(ids)].sort((a, b) => a - b).join(',')
  }
}

/** Can a string, number or other piece be written at all? */
export function isDead(terminal: { readonly start: number }): boolean {
  return terminal.start === DEAD
}

function holdsObject(value: JSONValue): boolean {
  if (Array.isArray(value)) return value.some(holdsObject)
  return jsonTypeOf(value) === 'object'
}

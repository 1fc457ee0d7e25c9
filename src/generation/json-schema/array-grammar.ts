import { choiceNode, type GrammarNode, lazyNode, literalNode, sequenceNode } from '../constraint/grammar.js'
import { type Facets, itemSchemas } from './facets.js'
import { schemaUnsupported } from './json-schema.js'
import type { SchemaCompiler } from './schema-grammar.js'

/** Most items that can be asked for. */
const MAX_MIN_ITEMS = 1000

/** The arrays that fit. */
export function arrayGrammar(compiler: SchemaCompiler, facets: Facets): GrammarNode {
  const { minItems, maxItems = Infinity, arrayParts } = facets
  if (minItems > MAX_MIN_ITEMS) throw schemaUnsupported('#', `"minItems" above ${MAX_MIN_ITEMS}`)
  const numPrefix = Math.max(0, ...arrayParts.map(({ prefixItems }) => prefixItems.length))
  const numListed = Math.min(numPrefix, maxItems)
  const listed = Array.from({ length: numListed }, (_, index) => compiler.value(itemSchemas(facets, index)))
  const others = maxItems > numPrefix ? compiler.value(itemSchemas(facets, numPrefix)) : undefined
  const end = literalNode(']')
  const comma = literalNode(',')
  const tails = new Map<number, GrammarNode>()
  // from here on, how many items there were makes no difference
  const lastCount = maxItems === Infinity ? Math.max(numPrefix, minItems, 1) : maxItems
  const tail = (count: number): GrammarNode => {
    const known = tails.get(count)
    if (known) return known
    const made = lazyNode(() => {
      const item = listed[count] ?? others
      const ways: GrammarNode[] = []
      if (count >= minItems) ways.push(end)
      if (count < maxItems && item) {
        const next = tail(Math.min(count + 1, lastCount))
        ways.push(count === 0 ? sequenceNode(item, next) : sequenceNode(comma, item, next))
      }
      return choiceNode(ways)
    })
    tails.set(count, made)
    return made
  }
  return sequenceNode(literalNode('['), tail(0))
}

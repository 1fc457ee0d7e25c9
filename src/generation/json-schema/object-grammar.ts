import {
  choiceNode,
  type GrammarNode,
  lazyNode,
  literalNode,
  sequenceNode,
  terminalNode,
} from '../constraint/grammar.js'
import { parseRegex } from '../constraint/parse-regex.js'
import { parseUnitRegex } from '../constraint/regex-units.js'
import { ANY_TEXT, regexAutomaton, subtractAutomaton } from '../constraint/text-automaton.js'
import { type Facets, propertySchemas } from './facets.js'
import { schemaUnsupported } from './json-schema.js'
import type { SchemaCompiler } from './schema-grammar.js'
import { automatonString, stringAutomaton, stringTerminal } from './string-grammar.js'

interface Property {
  readonly name: string
  readonly isRequired: boolean
  readonly value: GrammarNode
}

/** The objects that fit: named properties in the schema's order, then others. */
export function objectGrammar(compiler: SchemaCompiler, facets: Facets): GrammarNode {
  const others = otherProperties(compiler, facets)
  const listed = knownNames(facets)
  const names = [...listed, ...others.names.filter(name => !listed.includes(name))]
  const required = new Set(facets.required)
  const properties = names.flatMap((name): Property[] => {
    const isRequired = required.has(name)
    const isNamed = facets.objectParts.some(({ properties }) => properties.has(name))
    if (!others.allowsName(name) || (!isNamed && others.areClosed)) {
      return isRequired ? [{ name, isRequired, value: choiceNode([]) }] : []
    }
    return [{ name, isRequired, value: compiler.value(propertySchemas(facets, name)) }]
  })
  return sequenceNode(
    literalNode('{'),
    objectTail(properties, others.key, compiler.value(propertySchemas(facets, undefined))),
  )
}

/** Names that the schema speaks of, in its order. */
export function knownNames({ objectParts, required }: Facets): readonly string[] {
  return [...new Set([...objectParts.flatMap(({ properties }) => [...properties.keys()]), ...required])]
}

/** Are properties that no schema names ruled out? */
export function isClosed(compiler: SchemaCompiler, { objectParts }: Facets): boolean {
  const additional = objectParts.flatMap(({ additional: schema }) => (schema === undefined ? [] : [schema]))
  if (additional.includes(false)) return true
  return compiler.options.closesObjects === true && objectParts.length > 0 && additional.length === 0
}

/** What the schema says about properties that it does not name. */
function otherProperties(compiler: SchemaCompiler, facets: Facets) {
  const areClosed = isClosed(compiler, facets)
  const nameRules = compiler.facets(facets.propertyNames)
  const allowsName = (name: string) =>
    nameRules.some(
      rule =>
        (!rule.values || rule.values.includes(name)) && compiler.fits(name, { ...rule, values: undefined }),
    )
  const values = nameRules.flatMap(rule => rule.values ?? [])
  const names = values.filter((value): value is string => typeof value === 'string' && allowsName(value))
  const free = nameRules.filter(rule => !rule.values && rule.types.has('string'))
  const [rule] = free
  if (areClosed || !rule) return { areClosed, allowsName, names: areClosed ? [] : names, key: undefined }
  if (free.length > 1) throw schemaUnsupported('#', '"propertyNames" with several alternatives')
  const automaton = stringAutomaton(rule, compiler.options) ?? ANY_TEXT
  const taken = [...knownNames(facets), ...names]
  const known = taken.map(name => name.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('|')
  const fresh =
    taken.length === 0
      ? automaton
      : subtractAutomaton(
          automaton,
          regexAutomaton(compiler.options.matchesUnits ? parseUnitRegex(known) : parseRegex(known), true),
        )
  const key = terminalNode(
    fresh === ANY_TEXT
      ? stringTerminal(rule, compiler.options)
      : automatonString(rule, compiler.options, fresh),
  )
  return { areClosed, allowsName, names, key }
}

function objectTail(
  properties: readonly Property[],
  key: GrammarNode | undefined,
  otherValue: GrammarNode,
): GrammarNode {
  const end = literalNode('}')
  const colon = literalNode(':')
  const comma = literalNode(',')
  const moreOthers: GrammarNode = lazyNode(() =>
    choiceNode(key ? [end, sequenceNode(comma, key, colon, otherValue, moreOthers)] : [end]),
  )
  const tail = (from: number, isFirst: boolean): GrammarNode =>
    lazyNode(() => {
      const ways: GrammarNode[] = []
      let index = from
      for (; index < properties.length; index++) {
        const { name, value, isRequired } = properties[index]!
        const head = literalNode(`${isFirst ? '' : ','}${JSON.stringify(name)}:`)
        ways.push(sequenceNode(head, value, tails(index + 1)))
        if (isRequired) break
      }
      if (index < properties.length) return choiceNode(ways)
      ways.push(end)
      if (key) ways.push(sequenceNode(...(isFirst ? [] : [comma]), key, colon, otherValue, moreOthers))
      return choiceNode(ways)
    })
  const made: GrammarNode[] = []
  const tails = (from: number): GrammarNode => {
    made[from] ??= tail(from, false)
    return made[from]
  }
  return tail(0, true)
}

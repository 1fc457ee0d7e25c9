import { readCountedSet } from '../constraint/counted-set.js'
import { parseRegex, type RegexNode } from '../constraint/parse-regex.js'
import { parseUnitRegex } from '../constraint/regex-units.js'
import { intersectAutomata, regexAutomaton, type TextAutomaton } from '../constraint/text-automaton.js'
import type { LengthLimits } from '../constraint/text-lengths.js'
import { TextTerminal } from '../constraint/text-terminal.js'
import type { Facets } from './facets.js'
import { schemaUnsupported } from './json-schema.js'
import { STRING_FORMATS } from './string-formats.js'

/** Longest string that can be asked for. */
const MAX_MIN_LENGTH = 10_000

type StringFacets = Pick<Facets, 'patterns' | 'formats' | 'minLength' | 'maxLength'>

interface StringOptions {
  readonly matchesUnits?: boolean | undefined
}

/** Shared by all schemas, so that their strings share the walk through the vocabulary. */
const FREE_STRING = new TextTerminal({ spelling: 'json' })

/** The JSON strings that fit. */
export function stringTerminal(facets: StringFacets, options: StringOptions): TextTerminal {
  return limitedString(facets, options, countedAutomaton(facets, options))
}

/** The JSON strings that an automaton and the limits of some facets allow. */
export function automatonString(
  facets: StringFacets,
  options: StringOptions,
  automaton: TextAutomaton,
): TextTerminal {
  return limitedString(facets, options, { automaton })
}

/** What patterns and formats ask for together; undefined for nothing. */
export function stringAutomaton(
  { patterns, formats }: StringFacets,
  options: StringOptions,
): TextAutomaton | undefined {
  const automata = [
    ...patterns.map(pattern => regexAutomaton(parsePattern(pattern, options), false)),
    ...formats.map(format => regexAutomaton(parseRegex(formatPattern(format)), true)),
  ]
  return automata.length === 0 ? undefined : automata.reduce(intersectAutomata)
}

interface LimitedAutomaton extends LengthLimits {
  readonly automaton: TextAutomaton | undefined
}

/** The same; what a pattern says about the length only is a limit. */
function countedAutomaton(facets: StringFacets, options: StringOptions): LimitedAutomaton {
  const [pattern, ...others] = facets.patterns
  if (pattern !== undefined && others.length === 0 && facets.formats.length === 0) {
    const byUnits = options.matchesUnits ?? false
    const { anyNumber, ...limits } = readCountedSet(parsePattern(pattern, options), false, byUnits) ?? {}
    if (anyNumber) return { automaton: regexAutomaton(anyNumber, true), ...limits }
  }
  return { automaton: stringAutomaton(facets, options) }
}

function limitedString(
  facets: StringFacets,
  { matchesUnits }: StringOptions,
  { automaton, minLength: least = 0, maxLength: most = Infinity }: LimitedAutomaton,
): TextTerminal {
  const minLength = Math.max(facets.minLength, least)
  const max = Math.min(facets.maxLength ?? Infinity, most)
  if (minLength > MAX_MIN_LENGTH) throw schemaUnsupported('#', `"minLength" above ${MAX_MIN_LENGTH}`)
  if (!automaton && minLength === 0 && max === Infinity) return FREE_STRING
  const maxLength = max === Infinity ? undefined : max
  return new TextTerminal({ automaton, minLength, maxLength, spelling: 'json', matchesUnits })
}

function parsePattern(pattern: string, { matchesUnits }: StringOptions): RegexNode {
  return matchesUnits ? parseUnitRegex(pattern) : parseRegex(pattern)
}

function formatPattern(format: string): string {
  const pattern = Object.hasOwn(STRING_FORMATS, format) ? STRING_FORMATS[format] : undefined
  if (pattern === undefined) throw schemaUnsupported('#', `"format" "${format}"`)
  return pattern
}

import { parseRegex } from '../constraint/parse-regex.js'
import { parseUnitRegex } from '../constraint/regex-units.js'
import { intersectAutomata, regexAutomaton, type TextAutomaton } from '../constraint/text-automaton.js'
import { TextTerminal } from '../constraint/text-terminal.js'
import type { Facets } from './facets.js'
import { schemaUnsupported } from './json-schema.js'
import { STRING_FORMATS } from './string-formats.js'

/** Longest string that can be asked for. */
const MAX_MIN_LENGTH = 10_000

type StringFacets = Pick<Facets, 'patterns' | 'formats' | 'minLength' | 'maxLength'>

interface StringOptions {
  readonly countsUnits?: boolean | undefined
}

/** Shared by all schemas, so that their strings share the walk through the vocabulary. */
const freeStrings = new Map<boolean, TextTerminal>()

/** The JSON strings that fit. */
export function stringTerminal(
  facets: StringFacets,
  options: StringOptions,
  automaton: TextAutomaton | undefined = stringAutomaton(facets, options),
): TextTerminal {
  const { minLength, maxLength } = facets
  const countsUnits = options.countsUnits ?? false
  if (minLength > MAX_MIN_LENGTH) throw schemaUnsupported('#', `"minLength" above ${MAX_MIN_LENGTH}`)
  if (automaton || minLength > 0 || maxLength !== undefined) {
    return new TextTerminal({ automaton, minLength, maxLength, spelling: 'json', countsUnits })
  }
  const known = freeStrings.get(countsUnits)
  if (known) return known
  const made = new TextTerminal({ spelling: 'json', countsUnits })
  freeStrings.set(countsUnits, made)
  return made
}

/** What patterns and formats ask for together; undefined for nothing. */
export function stringAutomaton(
  { patterns, formats }: StringFacets,
  { countsUnits = false }: StringOptions,
): TextAutomaton | undefined {
  const automata = [
    ...patterns.map(pattern =>
      regexAutomaton(countsUnits ? parseUnitRegex(pattern) : parseRegex(pattern), false),
    ),
    ...formats.map(format => regexAutomaton(parseRegex(formatPattern(format)), true)),
  ]
  return automata.length === 0 ? undefined : automata.reduce(intersectAutomata)
}

function formatPattern(format: string): string {
  const pattern = Object.hasOwn(STRING_FORMATS, format) ? STRING_FORMATS[format] : undefined
  if (pattern === undefined) throw schemaUnsupported('#', `"format" "${format}"`)
  return pattern
}

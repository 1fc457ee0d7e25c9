import { isScalable, NumberTerminal } from '../constraint/number-terminal.js'
import { parseRegex } from '../constraint/parse-regex.js'
import type { Terminal } from '../constraint/terminal.js'
import { regexAutomaton } from '../constraint/text-automaton.js'
import { TextTerminal } from '../constraint/text-terminal.js'
import type { Facets } from './facets.js'
import { schemaUnsupported } from './json-schema.js'

/**
 * Every spelling that `JSON.stringify` has for a number, and some more: at most 21 digits before the point and 23
 * behind it, or one digit, 17 behind the point and an exponent that stays below the largest double.
 */
const ANY_NUMBER =
  '-?(?:0|[1-9]\\d{0,20})(?:\\.\\d{1,23})?|-?[1-9](?:\\.\\d{1,17})?e(?:\\+(?:[1-9]\\d?|[12]\\d\\d|30[0-7])|-(?:[1-9]\\d?|[12]\\d\\d|30[0-7]|3[12]\\d))'

/** The integers that a double holds exactly. */
const ANY_INTEGER = `0|-?(?:[1-9]\\d{0,14}|${upTo(String(Number.MAX_SAFE_INTEGER))})`

let anyNumber: Terminal | undefined
let anyInteger: Terminal | undefined

/** The numbers that fit. */
export function numberTerminal(facets: Facets): Terminal {
  const { isInteger, minimum, maximum, exclusiveMinimum, exclusiveMaximum } = facets
  const bounds = { minimum, maximum, exclusiveMinimum, exclusiveMaximum }
  const multipleOf = facets.multipleOf.filter(factor => !(isInteger && factor === 1))
  for (const [keyword, value] of [
    ...Object.entries(bounds),
    ...multipleOf.map(value => ['multipleOf', value] as const),
  ]) {
    if (value === undefined || isScalable(value) || isBeyond(value, keyword)) continue
    throw schemaUnsupported(
      '#',
      `"${keyword}" of ${value}, a number of more than 15 digits or decimal places,`,
    )
  }
  const range = { isInteger, multipleOf, ...withoutBeyond(bounds) }
  const isBounded = Object.values(isInteger ? withoutBeyond(bounds) : bounds).some(
    value => value !== undefined,
  )
  if (isBounded || multipleOf.length > 0) return new NumberTerminal(range)
  if (isInteger) {
    anyInteger ??= textTerminal(ANY_INTEGER)
    return anyInteger
  }
  anyNumber ??= textTerminal(ANY_NUMBER)
  return anyNumber
}

function textTerminal(pattern: string): Terminal {
  return new TextTerminal({ automaton: regexAutomaton(parseRegex(pattern), true), spelling: 'plain' })
}

/** The numbers of as many digits as `limit` has that are not above it. */
function upTo(limit: string): string {
  const smaller = [...limit].flatMap((digit, index) => {
    const least = index === 0 ? 1 : 0
    const rest = limit.length - index - 1
    return Number(digit) > least ? `${limit.slice(0, index)}[${least}-${Number(digit) - 1}]\\d{${rest}}` : []
  })
  return [...smaller, limit].join('|')
}

/** Does a bound exclude nothing that is written at all? Bounded numbers have at most 16 digits before the point. */
function isBeyond(value: number, keyword: string): boolean {
  const limit = Number.MAX_SAFE_INTEGER
  if (keyword === 'minimum' || keyword === 'exclusiveMinimum') {
    return value < -limit || (keyword === 'minimum' && value === -limit)
  }
  return /aximum$/.test(keyword) && (value > limit || (keyword === 'maximum' && value === limit))
}

function withoutBeyond(bounds: Readonly<Record<string, number | undefined>>) {
  const entries = Object.entries(bounds)
  return Object.fromEntries(
    entries.filter(([keyword, value]) => value !== undefined && !isBeyond(value, keyword)),
  )
}

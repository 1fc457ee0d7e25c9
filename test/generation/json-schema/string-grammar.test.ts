import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEAD, runTerminal } from '../../../src/generation/constraint/terminal.js'
import { ownFacets } from '../../../src/generation/json-schema/facets.js'
import { stringTerminal } from '../../../src/generation/json-schema/string-grammar.js'

interface Limits {
  readonly minLength?: number
  readonly maxLength?: number
}

function accepts(pattern: string, limits: Limits, matchesUnits: boolean, value: string): boolean {
  const facets = ownFacets({ type: 'string', pattern, ...limits })
  const terminal = stringTerminal(facets, { matchesUnits })
  const bytes = new TextEncoder().encode(JSON.stringify(value))
  if (terminal.start === DEAD) return false
  const state = runTerminal(terminal, terminal.start, bytes)
  return state !== DEAD && terminal.isAccepting(state)
}

const count = fc.nat(4)
const limits: fc.Arbitrary<Limits> = fc
  .tuple(fc.option(count), fc.option(count))
  .map(([minLength, maxLength]) => ({
    ...(minLength !== null && { minLength }),
    ...(maxLength !== null && { maxLength }),
  }))
const counts = fc
  .tuple(count, fc.option(count))
  .map(([min, more]) => `{${min},${more === null ? '' : min + more}}`)
const sets = fc.constantFrom('a', '[ab]', '[^b]', '.', '[é😀]', '\\w')
const values = fc.string({ unit: fc.constantFrom('a', 'b', 'é', '😀', '\n'), maxLength: 8 })

describe('a pattern that counts characters of one set', () => {
  test.each([true, false])('goes together with limits of the length (units: %s)', matchesUnits => {
    fc.assert(
      fc.property(sets, counts, limits, values, (set, times, lengths, value) => {
        const pattern = `^${set}${times}$`
        const { minLength = 0, maxLength = Infinity } = lengths
        const length = [...value].length
        const fits =
          new RegExp(pattern, matchesUnits ? '' : 'u').test(value) &&
          length >= minLength &&
          length <= maxLength
        expect(accepts(pattern, lengths, matchesUnits, value)).toBe(fits)
      }),
      { numRuns: 500 },
    )
  })

  test.each(['a{1,3}', '^a{1,3}', 'a{1,3}$'])(
    'is found inside of a text where it is not anchored: %s',
    pattern => {
      for (const value of ['a', 'aaaa', 'xa', 'ax', 'x']) {
        expect(accepts(pattern, {}, false, value)).toBe(new RegExp(pattern, 'u').test(value))
      }
    },
  )
})

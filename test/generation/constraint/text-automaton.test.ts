import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { NVLMError } from '../../../src/core/errors.js'
import { parseRegex } from '../../../src/generation/constraint/parse-regex.js'
import {
  acceptsText,
  intersectAutomata,
  regexAutomaton,
  subtractAutomaton,
} from '../../../src/generation/constraint/text-automaton.js'

const whole = (source: string) => regexAutomaton(parseRegex(source), true)
const some = (source: string) => regexAutomaton(parseRegex(source), false)

/** Expressions with letters that the texts below are made of. */
const SOURCES = [
  'a*b+c?',
  '(ab|ba){2,3}',
  '[^a]',
  '[a-c1]+',
  'a.b',
  '^a|b$',
  '^(?:a|bc)*$',
  '\\d{2,}',
  '\\w\\W\\s?',
  '(?<name>é)+',
  'a{3}',
  'a{2,}b',
  '[\\d-]+',
  '[a\\-c]',
  '\\u00e9|\\u{1F600}',
  '[^]',
  '\\p{L}+',
  '\\P{L}',
  '$^',
  '(|a)b',
  'a|',
  '[]a',
  'x{,2}',
  '\\x61',
  '[\\s\\S]b',
  '(a(b(c)?)?)?',
]
const text = fc.string({
  unit: fc.constantFrom('a', 'b', 'c', '1', '-', ' ', 'é', '😀', '\n', 'x', '{', ','),
  maxLength: 8,
})

describe('an automaton of a regular expression', () => {
  test.each(SOURCES)('%s accepts what JavaScript matches', source => {
    const flags = isUnicode(source) ? 'u' : ''
    const [full, part] = [new RegExp(`^(?:${source})$`, flags), new RegExp(source, flags)]
    const [wholeAutomaton, someAutomaton] = [whole(source), some(source)]
    fc.assert(
      fc.property(text, value => {
        // without the flag u, JavaScript takes a character above U+FFFF for two
        fc.pre(flags === 'u' || !value.includes('😀'))
        expect(acceptsText(wholeAutomaton, value)).toBe(full.test(value))
        expect(acceptsText(someAutomaton, value)).toBe(part.test(value))
      }),
      { numRuns: 300 },
    )
  })

  test('can be met with another, and be left without it', () => {
    const [left, right] = [whole('[ab]*'), some('a1?b')]
    fc.assert(
      fc.property(text, value => {
        const [inLeft, inRight] = [acceptsText(left, value), acceptsText(right, value)]
        expect(acceptsText(intersectAutomata(left, right), value)).toBe(inLeft && inRight)
        expect(acceptsText(subtractAutomaton(left, right), value)).toBe(inLeft && !inRight)
      }),
    )
    expect(intersectAutomata(whole('a+'), whole('b+')).numStates).toBe(0)
  })
})

describe('refused are', () => {
  test.each([
    ['a(?=b)', '"(?=b"'],
    ['(?<!a)b', '"(?<!'],
    ['(a)\\1', '"\\1"'],
    ['\\bword', '"\\b"'],
    ['(?<n>a)\\k<n>', '"\\k"'],
  ])('%s', (source, named) => {
    expect(() => parseRegex(source)).toThrowError(
      expect.objectContaining({ code: 'SCHEMA_UNSUPPORTED', message: expect.stringContaining(named) }),
    )
  })

  test('the flags i and m', () => {
    expect(() => parseRegex('a', 'gi')).toThrowError(/flag "i"/)
    expect(() => parseRegex('a', 'm')).toThrowError(/flag "m"/)
    expect(parseRegex('a', 'gsuy')).toBeDefined()
  })

  test('what is no expression', () => {
    expect(() => parseRegex('(')).toThrowError(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })

  test.each(['(a{1000}){1000}', '(){1000000000}', '[ab]*a[ab]{40}'])(
    '%s, which would eat the memory',
    source => {
      const start = performance.now()
      expect(() => whole(source)).toThrowError(NVLMError)
      expect(performance.now() - start).toBeLessThan(20_000)
    },
  )
})

function isUnicode(source: string): boolean {
  return /\\[pPu]/.test(source)
}

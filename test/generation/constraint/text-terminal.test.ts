import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseRegex } from '../../../src/generation/constraint/parse-regex.js'
import { parseUnitRegex } from '../../../src/generation/constraint/regex-units.js'
import { DEAD, runTerminal, type Terminal } from '../../../src/generation/constraint/terminal.js'
import { regexAutomaton } from '../../../src/generation/constraint/text-automaton.js'
import { TextTerminal, type TextTerminalOptions } from '../../../src/generation/constraint/text-terminal.js'

const encode = (value: string) => new TextEncoder().encode(value)

function accepts(terminal: Terminal, bytes: Uint8Array): boolean {
  const state = runTerminal(terminal, terminal.start, bytes)
  return state !== DEAD && terminal.isAccepting(state)
}

const json = (options: Partial<TextTerminalOptions> = {}) =>
  new TextTerminal({ spelling: 'json', ...options })
const pattern = (source: string) => regexAutomaton(parseRegex(source), false)
const anyText = fc.string({ unit: 'binary', maxLength: 12 })

describe('a JSON string', () => {
  test('is spelled as JSON.stringify spells it', () => {
    const terminal = json()
    fc.assert(
      fc.property(anyText, value => {
        expect(accepts(terminal, encode(JSON.stringify(value)))).toBe(true)
      }),
    )
  })

  test.each(['"\\u0041"', '"\\/"', '"\\u000a"', '"\n"', '"\\u001F"', '"a', 'a"', '"a"b', '"\\ud800"', '""x'])(
    'is spelled in no other way: %j',
    source => expect(accepts(json(), encode(source))).toBe(false),
  )

  test('is well-formed UTF-8', () => {
    const terminal = json()
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    fc.assert(
      fc.property(fc.uint8Array({ min: 0x80, max: 0xff, minLength: 1, maxLength: 6 }), bytes => {
        let isValid = true
        try {
          strict.decode(bytes)
        } catch {
          isValid = false
        }
        expect(accepts(terminal, Uint8Array.of(0x22, ...bytes, 0x22))).toBe(isValid)
      }),
      { numRuns: 2000 },
    )
  })

  test.each([false, true])('counts code points, whatever patterns match by (units: %s)', matchesUnits => {
    const terminal = json({ minLength: 2, maxLength: 4, matchesUnits })
    fc.assert(
      fc.property(anyText, value => {
        const count = [...value].length
        expect(accepts(terminal, encode(JSON.stringify(value)))).toBe(count >= 2 && count <= 4)
      }),
    )
  })

  test('counts code points where a pattern is matched by units', () => {
    const automaton = regexAutomaton(parseUnitRegex('^(?:[^a]{2})*$'), false)
    const terminal = json({ automaton, minLength: 3, maxLength: 4, matchesUnits: true })
    const unit = fc.constantFrom('a', 'é', '😀')
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 6 }), value => {
        const [units, points] = [value.length, [...value].length]
        const fits = !value.includes('a') && units % 2 === 0 && points >= 3 && points <= 4
        expect(accepts(terminal, encode(JSON.stringify(value)))).toBe(fits)
      }),
    )
  })

  test.each([
    '^.{2}$',
    '[^\\x00-\\uffff]',
    '^[\\ud800-\\udfff]{2}a',
    'é|😀',
    '^[😀a]$',
    '^\\p{Emoji}$',
    '^\\P{L}{2}',
  ])('matches %s by units where units count', source => {
    const terminal = json({ automaton: regexAutomaton(parseUnitRegex(source), false), matchesUnits: true })
    const expected = new RegExp(source, /\\p/i.test(source) ? 'u' : '')
    const unit = fc.constantFrom('a', 'é', '😀', '𝒳', '\n', '"')
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 4 }), value => {
        expect(accepts(terminal, encode(JSON.stringify(value)))).toBe(expected.test(value))
      }),
    )
  })
})

describe('no state is a dead end', () => {
  const terminals: readonly (readonly [string, TextTerminal])[] = [
    ['any', json()],
    ['lengths', json({ minLength: 3, maxLength: 5 })],
    ['units', json({ minLength: 1, maxLength: 2, matchesUnits: true })],
    [
      'units of a pattern',
      json({
        automaton: regexAutomaton(parseUnitRegex('^(?:[^a]{2})*$'), false),
        minLength: 3,
        maxLength: 3,
        matchesUnits: true,
      }),
    ],
    ['ascii', json({ automaton: pattern('^[a-z]+$'), maxLength: 4 })],
    ['high', json({ automaton: pattern('^[\\u{1F600}-\\u{1F64F}é]{2}$') })],
    ['pattern and length', json({ automaton: pattern('^(?:aa|bbb)*$'), minLength: 7, maxLength: 7 })],
    ['plain', new TextTerminal({ spelling: 'plain', automaton: pattern('^(?:ü|日本)+$') })],
  ]

  test.each(terminals)('%s', (_, terminal) => {
    // from every state that is reached by random bytes, random allowed bytes lead to acceptance
    fc.assert(
      fc.property(fc.array(fc.nat(), { maxLength: 12 }), picks => {
        let state = terminal.start
        for (const pick of picks) {
          const bytes = allowedBytes(terminal, state)
          if (bytes.length === 0) break
          state = terminal.step(state, bytes[pick % bytes.length]!)
        }
        expect(canFinish(terminal, state, 60)).toBe(true)
        expect(terminal.canContinue(state)).toBe(allowedBytes(terminal, state).length > 0)
      }),
      { numRuns: 60 },
    )
  })
})

function allowedBytes(terminal: Terminal, state: number): readonly number[] {
  return Array.from({ length: 256 }, (_, byte) => byte).filter(byte => terminal.step(state, byte) !== DEAD)
}

/** Breadth first, with few states kept a level. */
function canFinish(terminal: Terminal, from: number, maxBytes: number): boolean {
  let states = new Set([from])
  for (let depth = 0; depth <= maxBytes; depth++) {
    if ([...states].some(state => terminal.isAccepting(state))) return true
    const next = new Set<number>()
    for (const state of [...states].slice(0, 12)) {
      for (const byte of allowedBytes(terminal, state)) next.add(terminal.step(state, byte))
    }
    states = new Set([...next].sort((a, b) => b - a))
  }
  return false
}

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type NumberRange, NumberTerminal } from '../../../src/generation/constraint/number-terminal.js'
import { DEAD, runTerminal } from '../../../src/generation/constraint/terminal.js'

function accepts(terminal: NumberTerminal, text: string): boolean {
  const state =
    terminal.start === DEAD ? DEAD : runTerminal(terminal, terminal.start, new TextEncoder().encode(text))
  return state !== DEAD && terminal.isAccepting(state)
}

function fits(value: number, range: NumberRange): boolean {
  const {
    minimum = -Infinity,
    maximum = Infinity,
    exclusiveMinimum = -Infinity,
    exclusiveMaximum = Infinity,
  } = range
  return value >= minimum && value <= maximum && value > exclusiveMinimum && value < exclusiveMaximum
}

const bound = fc.option(
  fc.integer({ min: -2000, max: 2000 }).map(value => value / 8),
  { nil: undefined },
)
const range = fc.record({
  isInteger: fc.boolean(),
  minimum: bound,
  maximum: bound,
  exclusiveMinimum: bound,
  exclusiveMaximum: bound,
})

describe('numbers within bounds', () => {
  test('are those that compare so', () => {
    const value = fc.integer({ min: -3000, max: 3000 })
    fc.assert(
      fc.property(range, value, fc.constantFrom(1, 8, 100), (limits, numerator, denominator) => {
        const number = numerator / denominator
        fc.pre(!Object.is(number, -0))
        const expected = fits(number, limits) && (!limits.isInteger || Number.isInteger(number))
        expect(accepts(new NumberTerminal(limits), String(number))).toBe(expected)
      }),
      { numRuns: 500 },
    )
  })

  test('are never led into by digits that can not be completed', () => {
    fc.assert(
      fc.property(range, fc.array(fc.nat(), { maxLength: 8 }), (limits, picks) => {
        const terminal = new NumberTerminal(limits)
        if (terminal.start === DEAD) return
        let state = terminal.start
        for (const pick of picks) {
          const steps = nextStates(terminal, state)
          if (steps.length === 0) break
          state = steps[pick % steps.length]!
        }
        expect(canFinish(terminal, state)).toBe(true)
      }),
    )
  })

  test('can be multiples', () => {
    const sevens = new NumberTerminal({ isInteger: true, multipleOf: [7], minimum: 50, maximum: 69 })
    const accepted = Array.from({ length: 200 }, (_, value) => value).filter(value =>
      accepts(sevens, String(value)),
    )
    expect(accepted).toEqual([56, 63])
    expect(new NumberTerminal({ isInteger: true, multipleOf: [7], minimum: 57, maximum: 62 }).start).toBe(
      DEAD,
    )
    const cents = new NumberTerminal({ isInteger: false, multipleOf: [0.01], minimum: 0 })
    expect(['0', '1.25', '3.10', '0.01'].every(text => accepts(cents, text))).toBe(true)
    expect(['1.255', '-1', '0.001'].some(text => accepts(cents, text))).toBe(false)
  })

  test('have one spelling of their sign and no zeros in front', () => {
    const any = new NumberTerminal({ isInteger: false, minimum: -10 })
    for (const text of ['01', '-0', '+1', '1.', '.5', '1e2', '', '-', '--1', '1.2.3']) {
      expect(accepts(any, text)).toBe(false)
    }
  })

  test('reach the largest safe integer and no further', () => {
    const large = new NumberTerminal({ isInteger: true, minimum: 1 })
    expect(accepts(large, '9007199254740991')).toBe(true)
    expect(accepts(large, '9007199254740992')).toBe(false)
  })
})

function nextStates(terminal: NumberTerminal, state: number): readonly number[] {
  return [...'-.0123456789']
    .map(text => terminal.step(state, text.charCodeAt(0)))
    .filter(next => next !== DEAD)
}

function canFinish(terminal: NumberTerminal, from: number): boolean {
  let states: readonly number[] = [from]
  for (let depth = 0; depth < 25 && states.length > 0; depth++) {
    if (states.some(state => terminal.isAccepting(state))) return true
    states = states.slice(0, 40).flatMap(state => nextStates(terminal, state))
  }
  return false
}

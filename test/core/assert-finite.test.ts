import fc from 'fast-check'
import { expect, test } from 'vitest'
import { assertFinite } from '../../src/core/assert-finite.js'

test('one bad value among any finite ones is found and named', () => {
  const values = fc.float32Array({ noNaN: true, noDefaultInfinity: true, minLength: 1, maxLength: 40 })
  const bad = fc.constantFrom(Number.NaN, Infinity, -Infinity)
  fc.assert(
    fc.property(values, bad, fc.nat(), (data, value, place) => {
      expect(() => assertFinite(data, 'x')).not.toThrow()
      const at = place % data.length
      data[at] = value
      expect(() => assertFinite(data, 'x')).toThrowError(
        expect.objectContaining({ code: 'NUMERIC', message: expect.stringContaining(`x: value ${at} of`) }),
      )
    }),
  )
})

test('infinities that cancel out are found too, and the largest numbers are finite', () => {
  const opposite = Float32Array.of(1, Infinity, 2, -Infinity)
  expect(() => assertFinite(opposite, 'x')).toThrowError('x: value 1 of 4 is Infinity')
  const largest = new Float32Array(9).fill(3.4028234663852886e38)
  expect(() => assertFinite(largest, 'x')).not.toThrow()
})

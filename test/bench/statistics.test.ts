import fc from 'fast-check'
import { expect, test } from 'vitest'
import { quantile, summarize } from './statistics.js'

test('quantiles lie between measurements', () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5)
  expect(summarize([10, 20, 30])).toEqual({ median: 20, p10: 12, p90: 28 })
})

test('quantiles grow with their rank and stay within the measurements', () => {
  const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1 })
  fc.assert(
    fc.property(values, times => {
      const { median, p10, p90 } = summarize(times)
      expect(p10).toBeLessThanOrEqual(median)
      expect(median).toBeLessThanOrEqual(p90)
      expect(p10).toBeGreaterThanOrEqual(Math.min(...times))
      expect(p90).toBeLessThanOrEqual(Math.max(...times))
    }),
  )
})

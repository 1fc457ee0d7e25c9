import { expect, test } from 'vitest'
import { growthPercent, quantile } from './statistics.js'

test('growth is in percent of the mean for 100 requests', () => {
  const readings = (value: (index: number) => number) =>
    Array.from({ length: 40 }, (_, index) => ({ numRequests: index * 10, value: value(index) }))
  expect(growthPercent(readings(() => 500))).toBe(0)
  // 1 a reading of 10 requests, around a mean of 1019.5
  expect(growthPercent(readings(index => 1000 + index))).toBeCloseTo((10 / 1019.5) * 100, 6)
  expect(growthPercent(readings(() => 1).slice(0, 9))).toBeUndefined()
})

test('quantiles', () => {
  expect([0, 0.5, 0.99, 1].map(share => quantile([3, 1, 2, 4], share))).toEqual([1, 3, 4, 4])
})

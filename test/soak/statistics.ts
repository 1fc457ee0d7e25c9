/** One reading: what was measured when so many requests had been answered. */
export interface Reading {
  readonly numRequests: number
  readonly value: number
}

/**
 * How fast a value grows, in percent of its mean for 100 requests: the slope of the straight line through the readings
 * (least squares). undefined if there are too few.
 */
export function growthPercent(readings: readonly Reading[]): number | undefined {
  if (readings.length < 10) return undefined
  const mean = (pick: (reading: Reading) => number) =>
    readings.reduce((sum, reading) => sum + pick(reading), 0) / readings.length
  const [x, y] = [mean(({ numRequests }) => numRequests), mean(({ value }) => value)]
  const covariance = mean(({ numRequests, value }) => (numRequests - x) * (value - y))
  const variance = mean(({ numRequests }) => (numRequests - x) ** 2)
  return variance === 0 ? undefined : (covariance / variance / y) * 100 * 100
}

/** The value that this share of all values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

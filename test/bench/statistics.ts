/** A value and how far most measurements lie from it. */
export interface Summary {
  readonly median: number
  readonly p10: number
  readonly p90: number
}

/** Median and tenth percentiles, between measurements by linear interpolation. */
export function summarize(values: readonly number[]): Summary {
  return { median: quantile(values, 0.5), p10: quantile(values, 0.1), p90: quantile(values, 0.9) }
}

/** @throws {RangeError} if there is no value */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new RangeError('no values')
  const sorted = [...values].sort((a, b) => a - b)
  const place = (sorted.length - 1) * q
  const below = Math.floor(place)
  const above = Math.ceil(place)
  return sorted[below]! + (sorted[above]! - sorted[below]!) * (place - below)
}

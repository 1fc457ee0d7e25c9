/** How far some logits are from those of float32. */
export interface Drift {
  readonly maxLogit: number
  readonly meanLogit: number
  /** Mean over positions of KL(float32 ‖ dtype), in nats. */
  readonly kl: number
  /** Share of positions whose most likely token is the same. */
  readonly top1: number
}

/** Compare the logits of many positions, each `width` long. */
export function driftOf(expected: Float32Array, found: Float32Array, width: number): Drift {
  let maxLogit = 0
  let sum = 0
  let kl = 0
  let numSame = 0
  const numRows = expected.length / width
  for (let row = 0; row < numRows; row++) {
    const a = expected.subarray(row * width, (row + 1) * width)
    const b = found.subarray(row * width, (row + 1) * width)
    for (let i = 0; i < width; i++) {
      const difference = Math.abs(a[i]! - b[i]!)
      maxLogit = Math.max(maxLogit, difference)
      sum += difference
    }
    const [p, q] = [logSoftmax(a), logSoftmax(b)]
    for (let i = 0; i < width; i++) kl += Math.exp(p[i]!) * (p[i]! - q[i]!)
    if (argmax(a) === argmax(b)) numSame++
  }
  return { maxLogit, meanLogit: sum / expected.length, kl: kl / numRows, top1: numSame / numRows }
}

function logSoftmax(logits: Float32Array): Float64Array {
  const max = logits.reduce((a, b) => Math.max(a, b))
  const logSum = Math.log(logits.reduce((total, value) => total + Math.exp(value - max), 0)) + max
  return Float64Array.from(logits, value => value - logSum)
}

function argmax(values: Float32Array): number {
  return values.reduce((best, value, index) => (value > values[best]! ? index : best), 0)
}

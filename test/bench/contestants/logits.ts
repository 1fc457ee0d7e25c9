/** Place of the largest value. */
export function argmax(values: Float32Array): number {
  let best = 0
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i
  return best
}

/** Natural logarithms of the softmax at some places. */
export function logSoftmaxAt(logits: Float32Array, places: readonly number[]): readonly number[] {
  const largest = logits[argmax(logits)]!
  let sum = 0
  for (const logit of logits) sum += Math.exp(logit - largest)
  const logSum = largest + Math.log(sum)
  return places.map(place => logits[place]! - logSum)
}

import { maxOf } from './logits-processors.js'

/** Logarithm of a token's probability. */
export interface IdLogprob {
  readonly id: number
  readonly logprob: number
}

/** A chosen token's log-probability with the likeliest alternatives. */
export interface ChosenLogprob extends IdLogprob {
  /** The most likely tokens, most likely first, of equal ones the lower id; the chosen one is among them or not. */
  readonly top: readonly IdLogprob[]
}

/**
 * Log-probabilities of the model's own distribution, log softmax(logits), summed in float64.
 *
 * @param logits - float32 [vocabSize], finite, before any rule of `SamplingOptions` (vLLM's `raw_logprobs`)
 * @param numTop - how many alternatives to give
 */
export function chosenLogprob(logits: Float32Array, id: number, numTop: number): ChosenLogprob {
  const max = maxOf(logits)
  let total = 0
  for (let other = 0; other < logits.length; other++) total += Math.exp(logits[other]! - max)
  const logTotal = max + Math.log(total)
  const withLogprob = (other: number): IdLogprob => ({ id: other, logprob: logits[other]! - logTotal })
  return { ...withLogprob(id), top: largest(logits, numTop).map(withLogprob) }
}

/** Places of the `count` largest values, largest first, by insertion: `count` is small. */
function largest(values: Float32Array, count: number): number[] {
  const places: number[] = []
  if (count === 0) return places
  for (let id = 0; id < values.length; id++) {
    if (places.length === count && values[id]! <= values[places[count - 1]!]!) continue
    let at = places.length
    while (at > 0 && values[places[at - 1]!]! < values[id]!) at--
    places.splice(at, 0, id)
    if (places.length > count) places.pop()
  }
  return places
}

import { NVLMError } from '../core/errors.js'

/**
 * Rules that change the next token's logits, each exactly as the class of the same purpose in transformers 4.39
 * (`generation/logits_process.py`) where it has one. All work in place on float32 [vocabSize]; -Infinity rules a
 * token out.
 */

/** Divide by the temperature (`TemperatureLogitsWarper`). */
export function applyTemperature(logits: Float32Array, temperature: number): void {
  const divisor = Math.fround(temperature)
  for (let id = 0; id < logits.length; id++) logits[id] = logits[id]! / divisor
}

/** Rule out all that is smaller than the k-th largest; what ties with it stays (`TopKLogitsWarper`). */
export function keepTopK(logits: Float32Array, topK: number): void {
  if (topK >= logits.length) return
  const threshold = kthLargest(logits, topK)
  for (let id = 0; id < logits.length; id++) if (logits[id]! < threshold) logits[id] = -Infinity
}

/**
 * Keep the smallest set of most likely tokens whose probabilities sum to `topP` or more (`TopPLogitsWarper`).
 *
 * At least one token stays, of equal ones the first. Probabilities are summed in float64, the reference sums in float32.
 */
export function keepTopP(logits: Float32Array, topP: number): void {
  if (topP >= 1) return
  const max = maxOf(logits)
  let total = 0
  for (let id = 0; id < logits.length; id++) total += Math.exp(logits[id]! - max)
  const removable = (1 - topP) * total
  // tokens lighter than this are removable even all together, so only the rest has to be sorted
  const floor = removable / logits.length
  const candidates: number[] = []
  let removed = 0
  for (let id = 0; id < logits.length; id++) {
    const weight = Math.exp(logits[id]! - max)
    if (weight >= floor) candidates.push(id)
    else {
      removed += weight
      logits[id] = -Infinity
    }
  }
  candidates.sort((a, b) => logits[a]! - logits[b]! || b - a)
  for (const id of candidates.slice(0, -1)) {
    removed += Math.exp(logits[id]! - max)
    if (removed > removable) break
    logits[id] = -Infinity
  }
}

/** Rule out what has less than `minP` of the most likely token's probability (`MinPLogitsWarper` of transformers 4.41). */
export function keepMinP(logits: Float32Array, minP: number): void {
  const max = maxOf(logits)
  for (let id = 0; id < logits.length; id++) if (Math.exp(logits[id]! - max) < minP) logits[id] = -Infinity
}

/**
 * Add a number to the logits of some tokens, as OpenAI's and vLLM's `logit_bias`.
 *
 * @throws {NVLMError} INVALID_OPTION for an id outside of the vocabulary
 */
export function addLogitBias(logits: Float32Array, bias: Readonly<Record<number, number>>): void {
  for (const key in bias) {
    const id = Number(key)
    if (!(id < logits.length)) {
      throw new NVLMError('INVALID_OPTION', `logitBias: token id ${key}; expected 0 to ${logits.length - 1}`)
    }
    logits[id] = logits[id]! + bias[id]!
  }
}

/** Make tokens less likely by how often they were generated: logit - count * frequencyPenalty - (count > 0) * presencePenalty. */
export function applyCountPenalties(
  logits: Float32Array,
  generatedIds: readonly number[],
  penalties: { readonly frequencyPenalty: number; readonly presencePenalty: number },
): void {
  const { frequencyPenalty, presencePenalty } = penalties
  if (frequencyPenalty === 0 && presencePenalty === 0) return
  const counts = new Map<number, number>()
  for (const id of generatedIds) counts.set(id, (counts.get(id) ?? 0) + 1)
  for (const [id, count] of counts) logits[id] = logits[id]! - count * frequencyPenalty - presencePenalty
}

/** Make tokens that were generated before less likely (`RepetitionPenaltyLogitsProcessor`). */
export function applyRepetitionPenalty(
  logits: Float32Array,
  generatedIds: readonly number[],
  penalty: number,
): void {
  const factor = Math.fround(penalty)
  for (const id of new Set(generatedIds)) {
    const logit = logits[id]!
    logits[id] = logit < 0 ? logit * factor : logit / factor
  }
}

/** Rule out every token that would make `size` tokens in a row appear twice (`NoRepeatNGramLogitsProcessor`). */
export function banRepeatedNgrams(logits: Float32Array, generatedIds: readonly number[], size: number): void {
  const numGiven = size - 1
  const tail = generatedIds.length - numGiven
  for (let start = 0; start < tail; start++) {
    let isSame = true
    for (let i = 0; i < numGiven && isSame; i++) isSame = generatedIds[start + i] === generatedIds[tail + i]
    if (isSame) logits[generatedIds[start + numGiven]!] = -Infinity
  }
}

/** Rule out the stop tokens while fewer than `minTokens` tokens are there (`MinLengthLogitsProcessor`). */
export function applyMinTokens(
  logits: Float32Array,
  generatedIds: readonly number[],
  minTokens: number,
  stopTokenIds: readonly number[],
): void {
  if (generatedIds.length >= minTokens) return
  for (const id of stopTokenIds) logits[id] = -Infinity
}

/** Largest logit, -Infinity if there is none. */
export function maxOf(logits: Float32Array): number {
  let max = -Infinity
  for (let id = 0; id < logits.length; id++) if (logits[id]! > max) max = logits[id]!
  return max
}

/** The k-th largest value through a min-heap of the k largest so far: no sort of the vocabulary. */
function kthLargest(values: Float32Array, k: number): number {
  const heap = values.slice(0, k).sort()
  for (let index = k; index < values.length; index++) {
    const value = values[index]!
    if (value > heap[0]!) replaceSmallest(heap, value)
  }
  return heap[0]!
}

function replaceSmallest(heap: Float32Array, value: number): void {
  let place = 0
  for (let child = 1; child < heap.length; child = 2 * place + 1) {
    if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++
    if (heap[child]! >= value) break
    heap[place] = heap[child]!
    place = child
  }
  heap[place] = value
}

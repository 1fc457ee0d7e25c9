import type { BackendTensor } from '../backend/backend.js'

/** Additive mask value: exp gives exactly 0, and sums stay finite. */
const MASKED = -1e30

/** float32 [length, length]: a token sees itself and those before it, as far as the window goes. */
export function causalMask(length: number, attentionWindow = length): BackendTensor {
  const data = new Float32Array(length * length)
  for (let row = 0; row < length; row++) {
    data.fill(MASKED, row * length + row + 1, (row + 1) * length)
    data.fill(MASKED, row * length, row * length + Math.max(0, row - attentionWindow))
  }
  return { type: 'float32', data, dims: [length, length] }
}

/**
 * Which of `numPast` past tokens the new ones see. Without any, the row that stands for them is hidden.
 *
 * @returns float32 [1, 1] without an attention window, else [length, numPast], or [length, 1] where all rows see all or nothing
 */
export function pastMask(
  length: number,
  numPast: number,
  attentionWindow: number | undefined,
): BackendTensor {
  const isHidden = numPast === 0
  const numRows = attentionWindow === undefined ? 1 : length
  const numHidden = (row: number) => numPast + row - (attentionWindow ?? Number.POSITIVE_INFINITY)
  if (isHidden || numHidden(length - 1) <= 0) {
    const data = new Float32Array(numRows).fill(isHidden ? MASKED : 0)
    return { type: 'float32', data, dims: [numRows, 1] }
  }
  const data = new Float32Array(length * numPast)
  for (let row = 0; row < length; row++) {
    data.fill(MASKED, row * numPast, row * numPast + Math.min(numPast, Math.max(0, numHidden(row))))
  }
  return { type: 'float32', data, dims: [length, numPast] }
}

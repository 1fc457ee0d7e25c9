import type { ContestantName } from '../contestants/contestant.js'
import type { Limits } from '../limits.js'
import type { Machine } from '../machine.js'
import type { DecoderShape, ModelShape } from '../model/shapes.js'
import type { PartOutcome } from '../parts.js'
import type { Plan } from '../plan.js'
import { summarize } from '../statistics.js'
import type { TextResult } from '../text-bench.js'

/** Everything that one run measured; what was left out is undefined, or empty. */
export interface BenchReport {
  readonly machine: Machine
  readonly numThreads: number
  readonly shape: ModelShape
  readonly plan: Plan
  readonly command: string
  readonly date: string
  readonly minutes: number
  /** Load of the machine by others before the run. */
  readonly loadBefore: number
  readonly limits: Limits
  readonly text: ReadonlyMap<ContestantName, TextResult>
  readonly tiling: PartOutcome<'tiling'> | undefined
  readonly pictures: PartOutcome<'pictures'> | undefined
  readonly copying: PartOutcome<'copying'> | undefined
}

/** Median ms a token of a contestant. */
export function decodeMedian(report: BenchReport, name: ContestantName, context: number): number | undefined {
  const times = report.text.get(name)?.decodeMs.get(context)
  return times && summarize(times).median
}

/** Median ms of a prompt. */
export function prefillMedian(report: BenchReport, name: ContestantName, length: number): number | undefined {
  const times = report.text.get(name)?.prefillMs.get(length)
  return times && summarize(times).median
}

/** Bytes of weights that every token needs: 4.5 bits each in layers, 8.5 in the output layer. */
export function weightBytes(shape: DecoderShape): number {
  return (numLayerWeights(shape) * 4.5 + shape.vocabSize * shape.hiddenSize * 8.5) / 8
}

/** Multiplied weights of all layers. */
export function numLayerWeights(shape: DecoderShape): number {
  const { hiddenSize, intermediateSize, numAttentionHeads, numKeyValueHeads, headDim } = shape
  const attention = 2 * hiddenSize * headDim * (numAttentionHeads + numKeyValueHeads)
  return shape.numHiddenLayers * (attention + 3 * hiddenSize * intermediateSize)
}

/** ms a token if nothing took time but reading weights and, as float16, keys and values from memory. */
export function decodeLimit({ limits, shape }: BenchReport, context: number): number {
  const { numHiddenLayers, numKeyValueHeads, headDim } = shape.decoder
  const cacheBytes = 2 * 2 * numHiddenLayers * numKeyValueHeads * headDim * context
  return ((weightBytes(shape.decoder) + cacheBytes) / limits.bandwidth) * 1000
}

/** Tokens a second if nothing took time but multiplying with the layers' weights in float32. */
export function prefillLimit({ limits, shape }: BenchReport): number {
  return limits.flops / (2 * numLayerWeights(shape.decoder))
}

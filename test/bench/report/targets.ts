import type { ContestantName } from '../contestants/contestant.js'
import { summarize } from '../statistics.js'
import { type BenchReport, decodeMedian, prefillMedian } from './bench-report.js'

/** A ratio that is aimed at. */
interface Target {
  readonly what: string
  readonly measured: number | undefined
  readonly bound: number
  readonly isUpper: boolean
}

/** Rows: what, target, measured, met or not. Targets whose contexts were not measured are left out. */
export function targetRows(report: BenchReport): readonly (readonly string[])[] {
  return targets(report).flatMap(({ what, measured, bound, isUpper }) => {
    if (measured === undefined) return []
    const isMet = isUpper ? measured <= bound : measured >= bound
    return [[what, `${isUpper ? '≤' : '≥'} ${bound}`, measured.toFixed(2), isMet ? 'met' : '**missed**']]
  })
}

function targets(report: BenchReport): readonly Target[] {
  const { tiling, pictures, copying } = report
  const median = (values: readonly number[]) => summarize(values).median
  const decode = (peer: ContestantName, context: number, bound: number): Target => ({
    what: `decode at ${context}, times as fast as ${peer}`,
    measured: quotient(decodeMedian(report, peer, context), decodeMedian(report, 'nvlm-ts', context)),
    bound,
    isUpper: false,
  })
  return [
    decode('node-llama-cpp', 128, 1.1),
    decode('node-llama-cpp', 1024, 1.3),
    decode('node-llama-cpp', 4096, 1.6),
    decode('transformers.js', 4096, 2.3),
    ...report.plan.prefills.map(length => ({
      what: `prefill of ${length}, times as fast as node-llama-cpp`,
      measured: quotient(
        prefillMedian(report, 'node-llama-cpp', length),
        prefillMedian(report, 'nvlm-ts', length),
      ),
      bound: 1,
      isUpper: false,
    })),
    ...(pictures?.result.questions ?? []).map(({ numTiles, firstMs, secondMs }) => ({
      what: `second question about a picture of ${numTiles} tiles, time to first token against the first`,
      measured: median(secondMs) / median(firstMs),
      bound: 0.15,
      isUpper: true,
    })),
    {
      what: 'copying with prompt lookup, times as fast as without',
      measured:
        copying && median(copying.result.lookupTokensPerSecond) / median(copying.result.plainTokensPerSecond),
      bound: 1.8,
      isUpper: false,
    },
    {
      what: 'tiling a photo, time against sharp to the same sizes',
      measured: tiling && median(tiling.result.nvlmMs) / median(tiling.result.sharpMs),
      bound: 1.5,
      isUpper: true,
    },
  ]
}

function quotient(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a / b
}

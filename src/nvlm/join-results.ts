import { invariant } from '../core/errors.js'
import type { GenerateResult, Timings, Usage } from './engine-client.js'

/**
 * The runs of one generation as one result, but for the text: tokens behind each other, usage and times added up.
 *
 * @param results - one or more, in order
 */
export function joinResults(results: readonly GenerateResult[]): GenerateResult {
  const last = results.at(-1)
  invariant(last, 'a generation has one run or more')
  const [first] = results
  const logprobs = results.flatMap(result => result.logprobs ?? [])
  return {
    ...last,
    ...(first?.seed !== undefined && { seed: first.seed }),
    ...(last.logprobs && { logprobs }),
    tokenIds: results.flatMap(({ tokenIds }) => tokenIds),
    usage: results.map(({ usage }) => usage).reduce(addUsage),
    timings: joinTimings(results),
    warnings: [...new Set(results.flatMap(({ warnings }) => warnings))],
  }
}

function addUsage(a: Usage, b: Usage): Usage {
  return Object.fromEntries(
    Object.entries(a).map(([name, value]) => [name, value + b[name as keyof Usage]!]),
  ) as unknown as Usage
}

function joinTimings(results: readonly GenerateResult[]): Timings {
  const sum = (name: keyof Timings) => results.reduce((total, { timings }) => total + timings[name], 0)
  const decodeMs = sum('decodeMs')
  const numDecoded = results.reduce((total, { tokenIds }) => total + Math.max(0, tokenIds.length - 1), 0)
  return {
    queueMs: sum('queueMs'),
    preprocessMs: sum('preprocessMs'),
    visionMs: sum('visionMs'),
    prefillMs: sum('prefillMs'),
    timeToFirstTokenMs: results[0]?.timings.timeToFirstTokenMs ?? 0,
    decodeMs,
    tokensPerSecond: decodeMs > 0 ? (numDecoded / decodeMs) * 1000 : 0,
  }
}

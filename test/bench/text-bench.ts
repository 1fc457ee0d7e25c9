import type { ContestantName, ContestantSettings } from './contestants/contestant.js'
import { note } from './options.js'
import type { Plan } from './plan.js'
import { Runner } from './runner.js'

/** All measurements of one contestant. */
export interface TextResult {
  /** From the start of the process to a loaded model, and to the first token of a short prompt. */
  readonly readyMs: number[]
  readonly firstTokenMs: number[]
  /** ms a token at each context. */
  readonly decodeMs: Map<number, number[]>
  /** ms of a whole prompt of each length. */
  readonly prefillMs: Map<number, number[]>
  peakBytes: number
  /** Largest difference of its log-probabilities to those of the first contestant. */
  drift: number
}

/** Prompt that loading is timed with, and tokens whose probabilities are compared. */
const SHORT_PROMPT = 16
const COMPARED_PROMPT = 64
const NUM_COMPARED = 16

/** Measure all contestants, in turns: round by round, each its part of every round. */
export async function benchText(
  contestants: Readonly<Partial<Record<ContestantName, ContestantSettings>>>,
  plan: Plan,
  inputIds: readonly number[],
): Promise<ReadonlyMap<ContestantName, TextResult>> {
  const names = Object.keys(contestants) as ContestantName[]
  const results = new Map(names.map(name => [name, emptyResult()]))
  if (names.length === 0) return results
  const contextLength = Math.max(...plan.contexts, ...plan.prefills) + plan.decodeSteps + 1
  const start = (name: ContestantName) => Runner.start(name, contestants[name]!, contextLength)
  for (let round = 0; round < plan.loads; round++) {
    for (const name of names) {
      const runner = await start(name)
      const { ms } = await runner.ask({ type: 'prefill', inputIds: inputIds.slice(0, SHORT_PROMPT) })
      results.get(name)!.readyMs.push(runner.readyMs)
      results.get(name)!.firstTokenMs.push(runner.readyMs + ms)
      await runner.end()
    }
    note(`load: round ${round + 1} of ${plan.loads}`)
  }
  const runners: Runner[] = []
  for (const name of names) runners.push(await start(name))
  try {
    await compare(runners, results, inputIds)
    await decodeRounds(runners, results, plan, inputIds)
    await prefillRounds(runners, results, plan, inputIds)
  } finally {
    for (const runner of runners) results.get(runner.name)!.peakBytes = await runner.end()
  }
  return results
}

type Results = ReadonlyMap<ContestantName, TextResult>

function emptyResult(): TextResult {
  return { readyMs: [], firstTokenMs: [], decodeMs: new Map(), prefillMs: new Map(), peakBytes: 0, drift: 0 }
}

/** Do all compute the same? The first one is the measure. */
async function compare(
  runners: readonly Runner[],
  results: Results,
  inputIds: readonly number[],
): Promise<void> {
  const prompt = inputIds.slice(0, COMPARED_PROMPT)
  const tokens = Array.from({ length: NUM_COMPARED }, (_, i) => inputIds[COMPARED_PROMPT + i]!)
  let expected: readonly number[] | undefined
  for (const runner of runners) {
    const { values } = await runner.ask({ type: 'logProbabilities', inputIds: prompt, tokens })
    expected ??= values
    results.get(runner.name)!.drift = Math.max(...values.map((value, i) => Math.abs(value - expected![i]!)))
    note(
      `${runner.name}: log-probabilities ${values
        .slice(0, 4)
        .map(value => value.toFixed(3))
        .join(', ')} …`,
    )
  }
}

async function decodeRounds(
  runners: readonly Runner[],
  results: Results,
  plan: Plan,
  inputIds: readonly number[],
): Promise<void> {
  for (const context of plan.contexts) {
    for (let round = -1; round < plan.decodeRounds; round++) {
      for (const runner of runners) {
        const isWarmUp = round < 0
        const steps = isWarmUp ? 2 : plan.decodeSteps
        const { ms } = await runner.ask({ type: 'decode', inputIds, context, steps })
        // the first token of a round comes back to a cache and a processor that others used
        if (!isWarmUp) append(results.get(runner.name)!.decodeMs, context, ms.slice(1))
      }
    }
    note(`decode: context ${context} done`)
  }
}

async function prefillRounds(
  runners: readonly Runner[],
  results: Results,
  plan: Plan,
  inputIds: readonly number[],
): Promise<void> {
  for (let round = 0; round < plan.prefillRounds; round++) {
    for (const length of plan.prefills) {
      for (const runner of runners) {
        const { ms } = await runner.ask({ type: 'prefill', inputIds: inputIds.slice(0, length) })
        append(results.get(runner.name)!.prefillMs, length, [ms])
      }
    }
    note(`prefill: round ${round + 1} of ${plan.prefillRounds}`)
  }
}

function append(map: Map<number, number[]>, key: number, values: readonly number[]): void {
  map.set(key, [...(map.get(key) ?? []), ...values])
}

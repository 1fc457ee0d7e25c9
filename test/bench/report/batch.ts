import type { BatchPlan, BatchResult } from '../batch-bench.js'
import type { CrowdName, CrowdOutcome } from '../contestants/crowd.js'
import type { Machine } from '../machine.js'
import { summarize } from '../statistics.js'
import { table } from './table.js'

/** What one part measured, in one run. */
export interface BatchPart {
  readonly plan: BatchPlan
  /** Load of the machine by others before the run. */
  readonly loadBefore: number
  readonly results: readonly BatchResult[]
}

export interface BatchReport {
  readonly machine: Machine
  readonly numThreads: number
  readonly parts: readonly BatchPart[]
}

export function writeBatchReport({ machine, numThreads, parts }: BatchReport): string {
  return [
    '# Several clients at once',
    '',
    'Made by the command below; not written by hand. So many clients ask at the same moment, each with a prompt of its own. nvlm-ts computes them',
    'together (`concurrency: 8`), or one after the other (`concurrency: 1`); llama.cpp has a sequence for each client in one context. All run the',
    'same decoder (internvl3-1b, random weights, 4 bits in blocks of 32) greedily, each in its own process, in turns round by round.',
    '',
    '```sh',
    'npm run bench:batch',
    '```',
    '',
    `${machine.cpu}, ${numThreads} threads, ${machine.extensions.join(' ')}; Node ${machine.node}, ${machine.system}; llama.cpp through node-llama-cpp 3.22.1.`,
    '',
    ...parts.flatMap(partSection),
  ].join('\n')
}

function partSection({ plan, loadBefore, results }: BatchPart): readonly string[] {
  return [
    `## Prompts of ${plan.promptWords} words, answers of ${plan.answerTokens} tokens`,
    '',
    `Tokens of all answers a second, reading the prompts included: median (p10 – p90) of ${plan.rounds} rounds; × is in proportion to one after the other. Load of the machine by others before: ${loadBefore.toFixed(1)}.`,
    '',
    ...rateTable(plan, results),
    '',
    'The longest that the first client waited between two tokens, ms, median:',
    '',
    ...gapTable(plan, results),
    '',
  ]
}

function rateTable({ numClients }: BatchPlan, results: readonly BatchResult[]): readonly string[] {
  const rates = (name: CrowdName, clients: number) =>
    summarize(outcomesOf(results, name, clients).map(({ numTokens, ms }) => (numTokens / ms) * 1000))
  const rows = namesOf(results).map(name => [
    name,
    ...numClients.map(clients => {
      const { median, p10, p90 } = rates(name, clients)
      return `${median.toFixed(1)} (${p10.toFixed(1)} – ${p90.toFixed(1)})`
    }),
    ...numClients.map(clients =>
      (rates(name, clients).median / rates('nvlm-ts, in line', clients).median).toFixed(2),
    ),
  ])
  const names = numClients.map(clients => `${clients} client${clients === 1 ? '' : 's'}`)
  return table(['', ...names, ...numClients.map(clients => `× at ${clients}`)], rows)
}

function gapTable({ numClients }: BatchPlan, results: readonly BatchResult[]): readonly string[] {
  const rows = namesOf(results).map(name => [
    name,
    ...numClients.map(clients => {
      const gaps = outcomesOf(results, name, clients).map(({ longestGapMs }) => longestGapMs)
      return summarize(gaps).median.toFixed(0)
    }),
  ])
  return table(['', ...numClients.map(clients => `${clients}`)], rows)
}

function namesOf(results: readonly BatchResult[]): readonly CrowdName[] {
  return [...new Set(results.map(({ name }) => name))]
}

function outcomesOf(
  results: readonly BatchResult[],
  name: CrowdName,
  clients: number,
): readonly CrowdOutcome[] {
  return results.find(one => one.name === name && one.numClients === clients)!.outcomes
}

import type { BatchPlan, BatchResults } from '../batch-bench.js'
import type { CrowdName, CrowdOutcome } from '../contestants/crowd.js'
import type { Machine } from '../machine.js'
import { summarize } from '../statistics.js'
import { table } from './table.js'

/** What a run measured. */
export interface BatchReport {
  readonly machine: Machine
  readonly numThreads: number
  /** Load of the machine by others before the run. */
  readonly loadBefore: number
  readonly command: string
  readonly parts: readonly { readonly plan: BatchPlan; readonly results: BatchResults }[]
}

export function writeBatchReport({ machine, numThreads, loadBefore, command, parts }: BatchReport): string {
  return [
    '# Several clients at once',
    '',
    'Made by the command below; not written by hand. So many clients ask at the same moment, each with a prompt of its own. nvlm-ts computes them',
    'together (`concurrency: 8`), or one after the other (`concurrency: 1`); llama.cpp has a sequence for each client in one context. All run the',
    'same decoder (internvl3-1b, random weights, 4 bits in blocks of 32) greedily, each in its own process, in turns round by round.',
    '',
    '```sh',
    command,
    '```',
    '',
    `${machine.cpu}, ${numThreads} threads, ${machine.extensions.join(' ')}; Node ${machine.node}, ${machine.system}; load by other processes before the run: ${loadBefore.toFixed(1)}.`,
    '',
    ...parts.flatMap(({ plan, results }) => partSection(plan, results)),
  ].join('\n')
}

function partSection(plan: BatchPlan, results: BatchResults): readonly string[] {
  return [
    `## Prompts of ${plan.promptWords} words, answers of ${plan.answerTokens} tokens`,
    '',
    `Tokens of all answers a second, reading the prompts included: median (p10 – p90) of ${plan.rounds} rounds; × is in proportion to one after the other.`,
    '',
    ...rateTable(plan, results),
    '',
    'The longest that the first client waited between two tokens, ms, median:',
    '',
    ...gapTable(plan, results),
    '',
  ]
}

const rate = ({ numTokens, ms }: CrowdOutcome) => (numTokens / ms) * 1000

function rateTable({ numClients }: BatchPlan, results: BatchResults): readonly string[] {
  const median = (name: CrowdName, clients: number) =>
    summarize(results.get(name)!.get(clients)!.map(rate)).median
  const rows = [...results].map(([name, byClients]) => [
    name,
    ...numClients.map(clients => {
      const { median, p10, p90 } = summarize(byClients.get(clients)!.map(rate))
      return `${median.toFixed(1)} (${p10.toFixed(1)} – ${p90.toFixed(1)})`
    }),
    ...numClients.map(clients => (median(name, clients) / median('nvlm-ts, in line', clients)).toFixed(2)),
  ])
  const names = numClients.map(clients => `${clients} client${clients === 1 ? '' : 's'}`)
  return table(['', ...names, ...numClients.map(clients => `× at ${clients}`)], rows)
}

function gapTable({ numClients }: BatchPlan, results: BatchResults): readonly string[] {
  const rows = [...results].map(([name, byClients]) => [
    name,
    ...numClients.map(clients => {
      const gaps = byClients.get(clients)!.map(({ longestGapMs }) => longestGapMs)
      return summarize(gaps).median.toFixed(0)
    }),
  ])
  return table(['', ...numClients.map(clients => `${clients}`)], rows)
}

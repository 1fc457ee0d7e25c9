import type { Machine } from '../machine.js'
import { summarize } from '../statistics.js'
import { table } from './table.js'

/** One way of doing it, and the ms of each run. */
export interface Trial {
  readonly name: string
  readonly ms: readonly number[]
}

/** All ways at one length of the past. */
export interface TrialsAt {
  readonly context: number
  readonly trials: readonly Trial[]
}

/** What a run measured. */
export interface TriedReport {
  readonly machine: Machine
  readonly command: string
  readonly attention: readonly TrialsAt[]
  readonly settings: readonly TrialsAt[]
}

const INTRO = `# What was tried for decode speed

Made by the command below; not written by hand. ms a token on the processor, median (p10 – p90), all ways in turns. What follows from it is in
[decision 11](decisions/0011-decode-speed-tried.md).`

const ATTENTION = `## How keys and values are stored

The attention of 24 layers of internvl3-1b over the past alone, without weights. float16 and int8 take a half and a quarter of the memory, and are widened
by the graph before they are multiplied. Both heads at once: keys and values lie as [past, heads, headDim], one product for all heads.`

const SETTINGS = `## Settings of a session

A step of the whole decoder in q4.`

/** The report as Markdown. */
export function writeTried({ machine, command, attention, settings }: TriedReport): string {
  const facts = table(
    ['', ''],
    [
      ['command', `\`${command}\``],
      ['machine', `${machine.cpu}, ${machine.cores} cores`],
    ],
  )
  const parts = [ATTENTION, '', ...trialTable(attention), '', SETTINGS, '', ...trialTable(settings), '']
  return [INTRO, '', ...facts, '', ...parts].join('\n')
}

function trialTable(columns: readonly TrialsAt[]): readonly string[] {
  const names = columns[0]!.trials.map(({ name }) => name)
  const cell = (ms: readonly number[]) => {
    const { median, p10, p90 } = summarize(ms)
    return `${median.toFixed(2)} (${p10.toFixed(2)} – ${p90.toFixed(2)})`
  }
  const rows = names.map((name, index) => [name, ...columns.map(({ trials }) => cell(trials[index]!.ms))])
  return table(['', ...columns.map(({ context }) => `after ${context} tokens`)], rows)
}

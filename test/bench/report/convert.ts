import type { ConvertParts, ConvertTimes } from '../convert-bench.js'
import type { Machine } from '../machine.js'
import { summarize } from '../statistics.js'
import { table } from './table.js'

/** What a run measured. */
export interface ConvertReport {
  readonly machine: Machine
  readonly numCores: number
  /** Load of the machine by others before the run. */
  readonly load: number
  readonly parts: ConvertParts
  readonly times: readonly ConvertTimes[]
  readonly command: string
}

/** Part of a plain copy's throughput that a conversion is to reach. */
const TARGET = 0.5

export function writeConvertReport(report: ConvertReport): string {
  const { machine, numCores, load, command } = report
  return [
    '# Converting checkpoints',
    '',
    'Made by the command below; not written by hand. A checkpoint of the shape of InternVL3-1B (bfloat16, random weights) is converted to each',
    'dtype, in turns with a **plain copy**: one thread that reads the same bytes and writes as many as the conversion, to the disk.',
    `The aim is at least ${TARGET} of its throughput. A conversion also builds graphs, journals what is done and hashes what it wrote.`,
    '',
    '```sh',
    command,
    '```',
    '',
    `${machine.cpu}, ${numCores} cores, ${machine.extensions.join(' ')}; Node ${machine.node}, ${machine.system}; load by other processes before the run: ${load.toFixed(1)}.`,
    '',
    ...timesTable(report),
    '',
    '## Where the time goes',
    '',
    ...partsTable(report),
    '',
  ].join('\n')
}

const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`
const seconds = (value: number) => `${value.toFixed(2)} s`

function timesTable({ times }: ConvertReport): readonly string[] {
  const rows = times.map(({ dtype, state, readBytes, writtenBytes, plainSeconds, convertSeconds }) => {
    const plain = summarize(plainSeconds).median
    const converted = summarize(convertSeconds).median
    const ratio = plain / converted
    return [
      ...[dtype, state, megabytes(readBytes), megabytes(writtenBytes), seconds(plain), seconds(converted)],
      ...[`${ratio.toFixed(2)}`, ratio >= TARGET ? 'yes' : 'no'],
    ]
  })
  const head = ['dtype', 'checkpoint', 'read', 'written', 'plain copy', 'conversion', 'ratio', `≥ ${TARGET}`]
  return [...table(head, rows), '', 'Seconds are medians of the rounds.']
}

/** What each part takes alone, if the cores share the weights evenly; they overlap in a run. */
function partsTable({ times, parts, numCores }: ConvertReport): readonly string[] {
  const rows = times
    .filter(({ state }) => state === 'cached')
    .map(({ dtype, readBytes, writtenBytes, convertSeconds }) => {
      const perWeight = parts.nsPerWeight.get(dtype)
      // vision keeps its bfloat16 under q8 and q4, which is counted as converted: an upper bound
      const kernel = perWeight === undefined ? 0 : ((readBytes / 2) * perWeight) / 1e9 / numCores
      return [
        dtype,
        seconds(readBytes / parts.cachedReadRate),
        perWeight === undefined ? 'none' : `${seconds(kernel)} (${perWeight.toFixed(1)} ns a weight)`,
        seconds(writtenBytes / parts.writeRate),
        seconds(writtenBytes / parts.hashRate),
        seconds(summarize(convertSeconds).median),
      ]
    })
  const head = [
    'dtype',
    'read from the cache',
    `convert, ${numCores} cores`,
    'write and sync',
    'hash',
    'all, measured',
  ]
  return [
    'Each part alone, from rates measured in the same run (conversion and hash in processor time, reading and writing as passed):',
    '',
    ...table(head, rows),
  ]
}

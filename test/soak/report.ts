import type { Faults } from './faults.js'
import type { Load } from './load.js'
import { type Growth, type MemoryLog, MIN_MEASURED_REQUESTS, WARM_UP_REQUESTS } from './memory.js'
import { quantile } from './statistics.js'

/** Growth that is taken for none, in percent for 100 requests. */
const MAX_GROWTH = 1

/** What a run found. */
export interface Findings {
  readonly load: Load
  readonly faults: Faults
  readonly memory: Readonly<Record<'server' | 'engine', MemoryLog>>
  readonly healthMs: readonly number[]
}

/** How the server was when all was over. */
export interface End {
  readonly isFree: boolean
  readonly newFiles: number
  readonly code: number | null
  readonly ms: number
}

/** Print what was found. Gives whether all is as it must be. */
export function report({ load, faults, memory, healthMs }: Findings, end: End): boolean {
  for (const [name, count] of [...load.counts].sort(([a], [b]) => a.localeCompare(b)))
    row(name, String(count))
  for (const line of load.wrong.slice(0, 20)) print(`  ${line}`)
  const checks = [
    row('requests', String(load.numRequests)),
    row('wrong answers (0)', String(load.wrong.length), load.wrong.length === 0),
    memoryRow('the server', memory.server.growth()),
    memoryRow('the engine', memory.engine.growth()),
    row('engines that were looked at', String(memory.engine.numLives)),
    row('places free at the end', end.isFree ? 'all' : 'not all', end.isFree),
    row('files and sockets more than before (≤ 2)', String(end.newFiles), end.newFiles <= 2),
    row('/health, median', ms(quantile(healthMs, 0.5), 1)),
    row('/health, 99 of 100', ms(quantile(healthMs, 0.99), 1)),
    row('engine back after a kill, median', ms(quantile(faults.recoveryMs, 0.5))),
    row('engine back after a kill, longest', ms(quantile(faults.recoveryMs, 1))),
    row('exit code after SIGTERM (0)', String(end.code), end.code === 0),
    row('time to stop (≤ 30 s)', ms(end.ms), end.ms <= 30_000),
  ]
  return checks.every(Boolean)
}

function memoryRow(whose: string, growth: Growth | undefined): boolean {
  const name = `memory of ${whose}, for 100 requests (≤ ${MAX_GROWTH} %)`
  if (!growth) return row(name, 'too few', false)
  const isGood = row(name, `${growth.percent.toFixed(3)} %`, growth.percent <= MAX_GROWTH)
  const { firstBytes, lastBytes, numRequests, bytesPerRequest } = growth
  print(
    `  longest life, after its first ${WARM_UP_REQUESTS} requests (≥ ${MIN_MEASURED_REQUESTS} more): ` +
      `${megabytes(firstBytes)}, ${numRequests} requests later ${megabytes(lastBytes)}; ` +
      `slope ${(bytesPerRequest / 1000).toFixed(1)} kB a request`,
  )
  return isGood
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

function ms(value: number, numDigits = 0): string {
  return `${value.toFixed(numDigits)} ms`
}

/** Print one line. Gives `isGood`. */
export function row(name: string, value: string, isGood = true): boolean {
  print(`${name.padEnd(52)} ${value.padStart(12)}${isGood ? '' : '   NOT MET'}`)
  return isGood
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

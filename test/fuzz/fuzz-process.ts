import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout } from 'node:timers/promises'
import type { ChunkReport, FuzzChunk } from './fuzz-child.js'

/** Longest that a chunk may take before it counts as hung, in milliseconds. */
const HANG_MS = 30_000

/** What all mutants of one target have shown. */
export interface FuzzRow {
  readonly target: string
  readonly numMutants: number
  readonly numAccepted: number
  readonly numRefused: number
  readonly slowestMs: number
  readonly numCrashes: number
  readonly numHangs: number
  /** One sentence each, with the number of the mutant. */
  readonly defects: readonly string[]
}

/** How much is to be tried. */
export interface FuzzPlan {
  readonly seed: number
  /** Mutants at a time. */
  readonly chunk: number
  /** Is there to be another chunk after so many mutants of a target? */
  readonly goesOn: (numMutants: number) => boolean
}

/** Feeds targets in a process of its own, and starts another after a crash or a hang. */
export class FuzzProcess {
  private child: ChildProcess | undefined
  private names: readonly string[] = []

  /** @param script - built from fuzz-child.ts */
  constructor(private readonly script: string) {}

  async targets(): Promise<readonly string[]> {
    await this.start()
    return this.names
  }

  async fuzz(target: string, { seed, chunk, goesOn }: FuzzPlan): Promise<FuzzRow> {
    const sums = { numAccepted: 0, numRefused: 0, slowestMs: 0, numCrashes: 0, numHangs: 0 }
    const defects: string[] = []
    let first = 0
    for (; goesOn(first); first += chunk) {
      const report = await this.feed({ target, seed, first, count: chunk })
      if (typeof report === 'string') {
        if (report === 'hang') sums.numHangs++
        else sums.numCrashes++
        defects.push(`${first} to ${first + chunk - 1}: ${report}`)
        continue
      }
      sums.numAccepted += report.numAccepted
      sums.numRefused += report.numRefused
      sums.slowestMs = Math.max(sums.slowestMs, report.slowestMs)
      defects.push(...report.defects)
    }
    return { target, numMutants: first, ...sums, defects }
  }

  stop(): void {
    this.child?.kill('SIGKILL')
    this.child = undefined
  }

  private async feed(chunk: FuzzChunk): Promise<ChunkReport | string> {
    const child = await this.start()
    child.send(chunk)
    const settled = new AbortController()
    const { signal } = settled
    const outcome = await Promise.race([
      once(child, 'message', { signal }).then(([report]) => report as ChunkReport),
      once(child, 'exit', { signal }).then(([code, killer]) => `crash (${killer ?? code})`),
      setTimeout(HANG_MS, 'hang', { signal }),
    ]).finally(() => settled.abort())
    if (typeof outcome === 'string') this.stop()
    return outcome
  }

  private async start(): Promise<ChildProcess> {
    if (this.child) return this.child
    const child = fork(this.script, {
      // a reader that takes too much memory is to be found
      execArgv: ['--max-old-space-size=512'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const [names] = await once(child, 'message')
    this.names = names as readonly string[]
    this.child = child
    return child
  }
}

/** The rows as a table of text. */
export function fuzzTable(rows: readonly FuzzRow[]): string {
  const heads = ['target', 'mutants', 'accepted', 'refused', 'slowest', 'hangs', 'crashes', 'defects']
  const lines = rows.map(row => [
    row.target,
    ...[row.numMutants, row.numAccepted, row.numRefused].map(String),
    `${row.slowestMs.toFixed(1)} ms`,
    ...[row.numHangs, row.numCrashes, row.defects.length].map(String),
  ])
  const widths = heads.map((head, i) => Math.max(head.length, ...lines.map(line => line[i]!.length)))
  const print = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')
  return [heads, ...lines].map(print).join('\n')
}

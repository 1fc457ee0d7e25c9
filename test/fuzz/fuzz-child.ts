import { NVLMError } from '../../src/core/errors.js'
import { createRandom } from '../../src/core/random.js'
import type { FuzzRun, FuzzTarget } from './target.js'
import { targets } from './targets.js'

/** Some mutants of one target, by their numbers. */
export interface FuzzChunk {
  readonly target: string
  readonly seed: number
  readonly first: number
  readonly count: number
}

/** What a chunk has shown. */
export interface ChunkReport {
  readonly numAccepted: number
  readonly numRefused: number
  readonly slowestMs: number
  /** Mutants that took too long, or were refused by an error that is no NVLMError. */
  readonly defects: readonly string[]
}

/** A process that feeds readers with broken input: a crash or a hang is seen from outside. */
let open: { readonly target: FuzzTarget; readonly run: FuzzRun } | undefined

process.on('message', async ({ target: name, seed, first, count }: FuzzChunk) => {
  if (open?.target.name !== name) {
    await open?.run.close?.()
    const target = targets.find(one => one.name === name)!
    open = { target, run: await target.open() }
  }
  let [numAccepted, numRefused, slowestMs] = [0, 0, 0]
  const defects: string[] = []
  for (let index = first; index < first + count; index++) {
    const report = await feed(open.run, seed, index, open.target.maxMs)
    if (report.outcome === 'accepted') numAccepted++
    else numRefused++
    slowestMs = Math.max(slowestMs, report.milliseconds)
    if (report.milliseconds > open.target.maxMs) {
      defects.push(`${index}: ${Math.round(report.milliseconds)} ms`)
    }
    if (report.outcome !== 'accepted' && report.outcome !== 'refused')
      defects.push(`${index}: ${report.outcome}`)
  }
  process.send?.({ numAccepted, numRefused, slowestMs, defects } satisfies ChunkReport)
})

/** Feed one mutant; a slow one is fed again, for what else the machine does must not count. */
async function feed(run: FuzzRun, seed: number, index: number, maxMs: number) {
  let [outcome, milliseconds] = ['', Number.POSITIVE_INFINITY]
  for (let attempt = 0; attempt < 4 && milliseconds > maxMs; attempt++) {
    const input = run.mutate(createRandom(seed * 1_000_003 + index))
    const started = performance.now()
    const cpu = process.cpuUsage()
    outcome = await input().then(() => 'accepted', describe)
    const { user, system } = process.cpuUsage(cpu)
    milliseconds = Math.min(milliseconds, performance.now() - started, (user + system) / 1000)
  }
  return { outcome, milliseconds }
}

function describe(error: unknown): string {
  if (NVLMError.isInstance(error)) return 'refused'
  return error instanceof Error
    ? (error.stack ?? error.message).split('\n').slice(0, 4).join(' ')
    : String(error)
}

process.send?.(targets.map(({ name }) => name))

import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { type BatchPlan, benchBatches } from './batch-bench.js'
import type { CrowdName } from './contestants/crowd.js'
import { describeMachine } from './machine.js'
import { makeModel } from './model/make-model.js'
import { modelPaths } from './model/model-paths.js'
import { note, parseOptions } from './options.js'
import { type BatchPart, writeBatchReport } from './report/batch.js'

/** Short prompts at every number of clients; long ones at few, since most of their time is reading. */
const plans: Readonly<Record<string, BatchPlan>> = {
  short: { numClients: [1, 2, 4, 8], promptWords: 32, answerTokens: 32, rounds: 2 },
  long: { numClients: [1, 4], promptWords: 512, answerTokens: 32, rounds: 2 },
}

const quickPlans: typeof plans = {
  short: { numClients: [1, 2, 4, 8], promptWords: 8, answerTokens: 6, rounds: 1 },
  long: { numClients: [1, 4], promptWords: 32, answerTokens: 6, rounds: 1 },
}

/**
 * Measure several clients at once, and write benchmarks-batch.md; a quick run goes to the data folder. A part that is left out
 * by `--only` is reported as it was measured last.
 */
async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2))
  const chosen = options.isQuick ? quickPlans : plans
  await makeModel({ ...options, only: ['checkpoint', 'nvlm', 'gguf'] })
  const paths = modelPaths(options.dataFolder, options.shape)
  const numThreads = availableParallelism()
  const own = { model: paths.nvlmDecoder, numThreads }
  const servers = new Map<CrowdName, { model: string; numThreads: number }>([
    ['nvlm-ts', own],
    ['nvlm-ts, in line', own],
    ['node-llama-cpp', { model: paths.gguf, numThreads }],
  ])
  const parts: BatchPart[] = []
  for (const [name, plan] of Object.entries(chosen)) {
    const kept = join(paths.folder, `batch-${name}${options.isQuick ? '-quick' : ''}.json`)
    if (options.only?.includes(name) ?? true) {
      const loadBefore = loadavg()[0]!
      const part: BatchPart = { plan, loadBefore, results: await benchBatches(servers, plan) }
      await writeFile(kept, JSON.stringify(part))
    }
    if (existsSync(kept)) parts.push(JSON.parse(await readFile(kept, 'utf8')))
  }
  const report = writeBatchReport({ machine: describeMachine(), numThreads, parts })
  const isPublished = !options.isQuick && options.shape === 'internvl3-1b'
  const out = options.out ?? (isPublished ? 'docs' : paths.folder)
  await mkdir(out, { recursive: true })
  await writeFile(join(out, 'benchmarks-batch.md'), report)
  note(`written to ${out}`)
}

await main()

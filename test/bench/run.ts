import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { bestLimits } from './limits.js'
import { describeMachine } from './machine.js'
import { makeModel } from './model/make-model.js'
import { modelPaths } from './model/model-paths.js'
import { shapes } from './model/shapes.js'
import { readTokenizer } from './model/tokenizer-files.js'
import { wordChain } from './model/word-chain.js'
import { note, parseOptions } from './options.js'
import { type PartName, type PartOutcome, runPart } from './parts.js'
import { fullPlan, quickPlan } from './plan.js'
import type { BenchReport } from './report/bench-report.js'
import { writeMarkdown } from './report/markdown.js'
import { writePlot } from './report/plot.js'
import { benchText } from './text-bench.js'

/** Measure everything and write benchmarks.md and benchmarks.svg; a quick run goes to the data folder. */
async function main(): Promise<void> {
  const args = process.argv.slice(2)
  const options = parseOptions(args)
  const plan = options.isQuick ? quickPlan : fullPlan
  await makeModel({ ...options, only: undefined })
  const paths = modelPaths(options.dataFolder, options.shape)
  const numThreads = availableParallelism()
  const started = performance.now()
  const loadBefore = loadavg()[0]!
  const isWanted = (name: string) => options.only?.includes(name) ?? true
  const part = <Name extends PartName>(name: Name): Promise<PartOutcome<Name>> => {
    note(`part: ${name}`)
    return runPart({ name, plan, numThreads, model: paths.nvlm, decoder: paths.nvlmDecoder })
  }
  const limitsBefore = await part('limits')
  const chain = wordChain((await readTokenizer()).tokenizer.model.vocab)
  const contestants = isWanted('text')
    ? {
        'nvlm-ts': { model: paths.nvlmDecoder, numThreads },
        'node-llama-cpp': { model: paths.gguf, numThreads },
        'transformers.js': { model: paths.transformers, numThreads },
      }
    : {}
  const text = await benchText(contestants, plan, chain.ids)
  const copying = isWanted('copying') ? await part('copying') : undefined
  const tiling = isWanted('tiling') ? await part('tiling') : undefined
  const pictures = isWanted('pictures') ? await part('pictures') : undefined
  const limitsAfter = await part('limits')
  const report: BenchReport = {
    machine: describeMachine(),
    numThreads,
    shape: shapes[options.shape],
    plan,
    command: `npm run bench${args.length === 0 ? '' : ` -- ${args.join(' ')}`}`,
    date: new Date().toISOString().slice(0, 10),
    minutes: (performance.now() - started) / 60_000,
    loadBefore,
    limits: bestLimits(limitsBefore.result, limitsAfter.result),
    text,
    tiling,
    pictures,
    copying,
  }
  const isPublished = !options.isQuick && options.only === undefined && options.shape === 'internvl3-1b'
  await publish(report, options.out ?? (isPublished ? 'docs' : paths.folder))
}

async function publish(report: BenchReport, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'benchmarks.md'), writeMarkdown(report, 'benchmarks.svg'))
  if (report.text.size > 0) await writeFile(join(folder, 'benchmarks.svg'), writePlot(report))
  note(`written to ${folder} after ${report.minutes.toFixed(1)} minutes`)
}

await main()

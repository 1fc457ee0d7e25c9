import { mkdirSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { benchConversions, benchConvertParts, convertedDtypes } from './convert-bench.js'
import { describeMachine } from './machine.js'
import { makeModel } from './model/make-model.js'
import { modelPaths } from './model/model-paths.js'
import { note, parseOptions } from './options.js'
import { writeConvertReport } from './report/convert.js'

/** Measure how fast checkpoints are converted, and write benchmarks-convert.md; a quick run goes to the data folder. */
async function main(): Promise<void> {
  const args = process.argv.slice(2)
  const options = parseOptions(args)
  await makeModel({ ...options, only: ['checkpoint'] })
  const { checkpoint, folder } = modelPaths(options.dataFolder, options.shape)
  const work = join(folder, 'convert')
  mkdirSync(work, { recursive: true })
  const dtypes = convertedDtypes.filter(name => options.only?.includes(name) ?? true)
  const load = loadavg()[0]!
  const parts = await benchConvertParts(checkpoint, work)
  const times = await benchConversions(checkpoint, work, dtypes, options.isQuick ? 1 : 3, note)
  const command = `npm run bench:convert${args.length === 0 ? '' : ` -- ${args.join(' ')}`}`
  const numCores = availableParallelism()
  const report = writeConvertReport({ machine: describeMachine(), numCores, load, parts, times, command })
  const isPublished = !options.isQuick && options.only === undefined && options.shape === 'internvl3-1b'
  const out = options.out ?? (isPublished ? 'docs' : folder)
  await writeFile(join(out, 'benchmarks-convert.md'), report)
  note(`written to ${out}`)
}

await main()

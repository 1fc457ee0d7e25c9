import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { FuzzProcess, type FuzzRow, fuzzTable } from './fuzz-process.js'

/** `npm run fuzz -- --minutes 5 --seed 1 [--target name]`: the time is shared out among the targets. */
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
    chunk: { type: 'string', default: '20' },
  },
})
const [minutes, seed, chunk] = [values.minutes, values.seed, values.chunk].map(Number)
const worker = new FuzzProcess(fileURLToPath(new URL('./fuzz-child.js', import.meta.url)))
const names = (await worker.targets()).filter(name => name.includes(values.target ?? ''))
const rows: FuzzRow[] = []
for (const name of names) {
  const end = performance.now() + (minutes! * 60_000) / names.length
  const goesOn = () => performance.now() < end
  const row = await worker.fuzz(name, { seed: seed!, chunk: chunk!, goesOn })
  rows.push(row)
  for (const defect of row.defects) process.stdout.write(`${name}: mutant ${defect}\n`)
}
worker.stop()
process.stdout.write(`\n${fuzzTable(rows)}\n`)
process.exitCode = rows.some(({ defects }) => defects.length > 0) ? 1 : 0

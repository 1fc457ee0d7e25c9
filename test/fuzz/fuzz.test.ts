import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createRandom } from '../../src/core/random.js'
import { buildForNode } from '../nvlm/build-for-node.js'
import { FuzzProcess, type FuzzRow, fuzzTable } from './fuzz-process.js'
import { mutateBytes, mutateJson } from './mutate.js'

/** Mutants of each target; `npm run fuzz -- --minutes 5 --seed 1` tries many more. */
const NUM_MUTANTS = 60
const SEED = 20_261_124
let built: string
let worker: FuzzProcess

beforeAll(async () => {
  built = await buildForNode({ child: 'test/fuzz/fuzz-child.ts' })
  worker = new FuzzProcess(join(built, 'child.mjs'))
})
afterAll(async () => {
  worker.stop()
  await rm(built, { recursive: true })
})

test('whatever a model folder holds gives a model or a typed error, soon, and never ends the process', async () => {
  const rows: FuzzRow[] = []
  for (const target of await worker.targets()) {
    rows.push(await worker.fuzz(target, { seed: SEED, chunk: 20, goesOn: count => count < NUM_MUTANTS }))
  }
  process.stdout.write(`${fuzzTable(rows)}\n`)
  expect(rows.flatMap(({ target, defects }) => defects.map(defect => `${target}: ${defect}`))).toEqual([])
  expect(rows.length).toBeGreaterThan(10)
  for (const { target, numMutants, numRefused } of rows) {
    expect([target, numMutants]).toEqual([target, NUM_MUTANTS])
    // text that is a card with a licence or without is never refused
    if (target !== 'model cards') expect([target, numRefused > 0]).toEqual([target, true])
  }
})

test('the same seed gives the same mutants, another seed others', () => {
  const bytes = new TextEncoder().encode('{"a":[1,2,{"b":"c"}]}')
  const both = (seed: number) => {
    const random = createRandom(seed)
    return JSON.stringify([
      [...mutateBytes(bytes, random)],
      mutateJson(JSON.parse(new TextDecoder().decode(bytes)), random),
    ])
  }
  expect(both(1)).toBe(both(1))
  const different = new Set(Array.from({ length: 20 }, (_, seed) => both(seed)))
  expect(different.size).toBeGreaterThan(15)
})

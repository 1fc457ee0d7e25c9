import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkpointFolder, imagePath } from '../support/official-golden.js'
import { buildForNode } from './build-for-node.js'

let folder: string

beforeAll(async () => {
  folder = await buildForNode({ 'draw-many': 'test/nvlm/draw-many.ts' })
})

afterAll(() => rm(folder, { recursive: true, force: true }))

async function drawMany(numThreads: number, numAnswers: number, seed: number): Promise<string[]> {
  const script = join(folder, 'draw-many.mjs')
  const args = [
    checkpointFolder('nvlmd-tiny-fp32'),
    imagePath('images/c_200x90.png'),
    numThreads,
    numAnswers,
    seed,
  ]
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...args.map(String)])
  return JSON.parse(stdout)
}

test('a seed gives the same answer 100 times of 100, over restarts and numbers of threads', async () => {
  const answers: string[] = []
  for (const numThreads of [1, 2, 1, 2]) answers.push(...(await drawMany(numThreads, 25, 7)))
  expect(answers).toHaveLength(100)
  expect(new Set(answers).size).toBe(1)
  const [other] = await drawMany(2, 1, 8)
  expect(other).not.toBe(answers[0])
}, 120_000)

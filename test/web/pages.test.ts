import { rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { readGolden } from '../support/official-golden.js'
import { prepareModels } from './prepare-models.js'
import { startBench, type TestPage, type WebBench } from './test-page.js'

const one = readGolden('nvlmd-tiny-fp32').cases.find(
  ({ images, method }) => images.length === 0 && method === 'chat',
)!

let models: string
let bench: WebBench

beforeAll(async () => {
  models = await prepareModels({ tiny: { checkpoint: 'nvlmd-tiny-fp32' } })
  const engine = dirname(fileURLToPath(import.meta.resolve('onnxruntime-web')))
  bench = await startBench({ models, engine })
})
beforeEach(() => bench.server.reset())
afterAll(async () => {
  await bench.close()
  await rm(models, { recursive: true })
})

async function expectAnswer(page: TestPage, options = {}): Promise<void> {
  const { id } = await page.call('load', '/models/tiny', { device: 'wasm', ...options })
  const messages = [{ role: 'user', content: one.question }]
  const { result } = await page.call('ask', id, { messages, maxTokens: 24 })
  expect(result.tokenIds).toEqual(one.chatIds)
  await page.call('dispose', id)
  expect(page.complaints).toEqual([])
}

test("runs under the policy \"script-src 'self' 'wasm-unsafe-eval'\"", async () => {
  await expectAnswer(await bench.open('strict'))
})

test.each([
  ['isolated', 2],
  ['plain', 1],
] as const)('in an %s page the engine has %i threads, and says the same', async (name, numThreads) => {
  const page = await bench.open(name)
  expect(await page.page.evaluate('crossOriginIsolated')).toBe(numThreads > 1)
  const { id } = await page.call('load', '/models/tiny', { device: 'wasm', numThreads: 2 })
  expect(page.page.workers()).toHaveLength(numThreads)
  await page.call('dispose', id)
  await expectAnswer(page, { numThreads: 2 })
})

test('takes the engine from the folder that it is told', async () => {
  await expectAnswer(await bench.open(), { wasmPaths: '/engine/' })
  expect(bench.server.askedFor('/engine/').map(({ path }) => path)).toContain(
    '/engine/ort-wasm-simd-threaded.wasm',
  )
  expect(bench.server.askedFor('/app/ort-wasm')).toEqual([])
})

test('says so when the worker can not be loaded', async () => {
  const page = await bench.open()
  bench.server.spoil('/app/engine-worker-web.js', { status: 404 })
  await expect(page.call('load', '/models/tiny', {})).rejects.toMatchObject({ code: 'ENGINE_FAILED' })
})

import { rm } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { imagePath, messagesOf, type OfficialCase, readGolden } from '../support/official-golden.js'
import { prepareModels } from './prepare-models.js'
import { startBench, type TestPage, type WebBench } from './test-page.js'

/** Below this gap between the two best logits the official choice is not certain. */
const CERTAIN_MARGIN = 1e-3

const golden = fileURLToPath(new URL('../golden/official', import.meta.url))
let models: string
let bench: WebBench

beforeAll(async () => {
  models = await prepareModels({
    'nvlmd-tiny': { checkpoint: 'nvlmd-tiny-fp32', hashWeights: true },
    'internvl-tiny': { checkpoint: 'internvl-tiny-fp32' },
    'nvlmd-tiny-bf16': { checkpoint: 'nvlmd-tiny-bf16-sharded', dtype: 'bf16' },
  })
  bench = await startBench({ models, golden })
})
afterAll(async () => {
  await bench.close()
  await rm(models, { recursive: true })
})

/** Cases of the official `chat()` whose every step is certain. */
function chatCases(name: string): readonly OfficialCase[] {
  return readGolden(name).cases.filter(
    ({ method, greedyMargins }) => method === 'chat' && Math.min(...greedyMargins) > CERTAIN_MARGIN,
  )
}

/** The messages of a case with pictures as URLs of the server. */
function webMessages(one: OfficialCase): readonly object[] {
  const root = imagePath('')
  const json = JSON.stringify(messagesOf(one)).replaceAll(JSON.stringify(root).slice(1, -1), '/golden/')
  return JSON.parse(json)
}

async function expectOfficialAnswers(page: TestPage, model: number, checkpoint: string): Promise<void> {
  const cases = chatCases(checkpoint)
  expect(cases.length).toBeGreaterThan(1)
  for (const one of cases) {
    const { maxTiles } = one
    const question = { messages: webMessages(one), maxTiles, applyExif: false, maxTokens: 24 }
    const { result, streamed } = await page.call('ask', model, question)
    expect(result.tokenIds).toEqual(one.chatIds)
    expect(result.text).toBe(one.chatText)
    expect(streamed).toBe(result.text)
    expect(result.usage.promptTokens).toBe(one.inputIds.length)
  }
}

describe('in a page, on WASM', () => {
  test.each([
    ['internvl-tiny', 'internvl-tiny-fp32'],
    ['nvlmd-tiny-bf16', 'nvlmd-tiny-bf16-sharded'],
  ])('%s says what the official chat() says, streamed', async (name, checkpoint) => {
    const page = await bench.open()
    const { id, info } = await page.call('load', `/models/${name}`, { device: 'wasm' })
    expect(info).toMatchObject({ id: name, device: { vision: 'wasm', projector: 'wasm', decoder: 'wasm' } })
    await expectOfficialAnswers(page, id, checkpoint)
    await page.call('dispose', id)
    expect(page.complaints).toEqual([])
  })

  describe('nvlmd-tiny', () => {
    let page: TestPage
    let model: number
    beforeAll(async () => {
      page = await bench.open()
      model = (await page.call('load', '/models/nvlmd-tiny', { device: 'wasm' })).id
    })

    test('says what the official chat() says, streamed', async () => {
      await expectOfficialAnswers(page, model, 'nvlmd-tiny-fp32')
    })

    test('says the same without a worker', async () => {
      const options = { device: 'wasm', worker: false, cache: false } as const
      const { id } = await page.call('load', '/models/nvlmd-tiny', options)
      await expectOfficialAnswers(page, id, 'nvlmd-tiny-fp32')
      await page.call('dispose', id)
    })

    test('stops within a step of an abort, and goes on with the next question', async () => {
      const messages = [{ role: 'user', content: 'hello' }]
      const { result } = await page.call('ask', model, { messages, maxTokens: 200, abortAfter: 3 })
      expect(result.finishReason).toBe('aborted')
      expect(result.tokenIds.length).toBeGreaterThanOrEqual(3)
      expect(result.tokenIds.length).toBeLessThan(20)
      const again = await page.call('ask', model, { messages, maxTokens: 2 })
      expect(again.result.tokenIds).toHaveLength(2)
    })

    // time on the wall: a machine that does other things may stretch one task in one run, but not the same in three
    test('leaves the page free: no task is longer than 50 ms', { retry: 2 }, async () => {
      const messages = [{ role: 'user', content: 'A long question. '.repeat(100) }]
      const { longestTask } = await page.call('ask', model, { messages, maxTokens: 60 })
      expect(longestTask).toBe(0)
    })
  })

  test('says with one warning that WASM is second best', async () => {
    const page = await bench.open()
    const { warnings } = await page.call('load', '/models/nvlmd-tiny', {})
    expect(warnings).toEqual([expect.stringContaining('runs on WASM')])
  })

  test.each([
    ['/models/missing', 'MODEL_NOT_FOUND', 'no such file'],
    ['/models/nvlmd-tiny-fp32', 'MODEL_NOT_FOUND', 'nvlm.json'],
    ['ftp://example.org/model', 'INVALID_OPTION', 'no http or https URL'],
  ])('refuses %s', async (url, code, message) => {
    const page = await bench.open()
    const loading = page.call('load', url, {})
    await expect(loading).rejects.toMatchObject({ code, message: expect.stringContaining(message) })
  })
})

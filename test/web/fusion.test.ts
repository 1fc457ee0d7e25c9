import { afterAll, beforeAll, test } from 'vitest'
import { openFusionPage } from './fusion-page.js'

let page: Awaited<ReturnType<typeof openFusionPage>>
beforeAll(async () => {
  page = await openFusionPage()
})
afterAll(() => page.close())

test.each([
  ['x', ['two_pictures', 'text']],
  ['h', ['two_pictures', 'one_tile']],
] as const)('NVLM-%s on WASM answers as the independent implementation does', async (name, cases) => {
  await page.expectAnswers(name, 'wasm', cases)
})

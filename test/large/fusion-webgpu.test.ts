import { afterAll, beforeAll, test } from 'vitest'
import { openFusionPage } from '../web/fusion-page.js'

let page: Awaited<ReturnType<typeof openFusionPage>>
beforeAll(async () => {
  page = await openFusionPage({ gpu: true })
})
afterAll(() => page.close())

// here because a processor that plays the graphics card takes half a minute for each
test.each([
  ['x', 'two_pictures'],
  ['h', 'text_before'],
] as const)('NVLM-%s on WebGPU answers as the independent implementation does: %s', (name, caseName) =>
  page.expectAnswers(name, 'webgpu', [caseName]),
)

import { afterAll, beforeAll, test } from 'vitest'
import { openFusionPage } from '../web/fusion-page.js'

let page: Awaited<ReturnType<typeof openFusionPage>>
beforeAll(async () => {
  page = await openFusionPage({ gpu: true })
})
afterAll(() => page.close())

// here because a processor that plays the graphics card takes half a minute for each
test.each(['x', 'h'] as const)('NVLM-%s on WebGPU answers as the independent implementation does', name =>
  page.expectAnswers(name, 'webgpu', ['text_before']),
)

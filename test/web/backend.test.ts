import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testBackend } from '../contracts/backend-contract.js'
import { pageBackend } from './page-backend.js'
import { startBench, type TestPage, type WebBench } from './test-page.js'

describe('onnxruntime-web on WASM', () => {
  let bench: WebBench
  let page: TestPage
  beforeAll(async () => {
    bench = await startBench({})
    page = await bench.open()
  })
  afterAll(() => bench.close())

  test('is all there is without WebGPU', async () => {
    expect(await page.call('devices')).toEqual(['wasm'])
  })

  testBackend(
    pageBackend(() => page, ['wasm']),
    'wasm',
    'webgpu',
  )
})

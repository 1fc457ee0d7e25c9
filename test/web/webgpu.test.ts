import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testBackend } from '../contracts/backend-contract.js'
import { readGolden } from '../support/official-golden.js'
import { pageBackend } from './page-backend.js'
import { prepareModels } from './prepare-models.js'
import { startBench, type TestPage, type WebBench } from './test-page.js'

let models: string
let bench: WebBench
let page: TestPage

beforeAll(async () => {
  models = await prepareModels({ tiny: { checkpoint: 'nvlmd-tiny-fp32' } })
  bench = await startBench({ models }, { gpu: true })
  page = await bench.open()
})
afterAll(async () => {
  await bench.close()
  await rm(models, { recursive: true })
})

describe('onnxruntime-web on WebGPU, computed by the processor', () => {
  test('passes the check against WASM', async () => {
    expect(await page.call('devices')).toEqual(['webgpu', 'wasm'])
  })

  testBackend(
    pageBackend(() => page, ['webgpu', 'wasm']),
    'webgpu',
    'cuda',
  )
})

describe('a model on WebGPU', () => {
  test('says what it says on a CPU', async () => {
    const { id, info } = await page.call('load', '/models/tiny', { device: 'webgpu' })
    expect(info.device).toEqual({ vision: 'webgpu', projector: 'webgpu', decoder: 'webgpu' })
    const one = readGolden('nvlmd-tiny-fp32').cases.find(
      ({ images, method }) => images.length === 0 && method === 'chat',
    )!
    const messages = [{ role: 'user', content: one.question }]
    const { result } = await page.call('ask', id, { messages, maxTokens: 24 })
    expect(result.tokenIds).toEqual(one.chatIds)
    expect(result.device).toBe('webgpu')
    await page.call('dispose', id)
  })

  test('is not taken by itself where a processor plays the graphics card', async () => {
    const { info, warnings } = await page.call('load', '/models/tiny', {})
    expect(info.device.decoder).toBe('wasm')
    expect(warnings).toEqual([expect.stringContaining('software')])
  })

  test('ends with an error when the device is lost, and can be loaded again', async () => {
    const doomed = await bench.open()
    const { id } = await doomed.call('load', '/models/tiny', {
      device: 'webgpu',
      worker: false,
      cache: false,
    })
    const messages = [{ role: 'user', content: 'hello' }]
    await doomed.call('loseDevices')
    await expect(doomed.call('ask', id, { messages, maxTokens: 4 })).rejects.toMatchObject({
      code: 'DEVICE_LOST',
    })
    const again = await doomed.call('load', '/models/tiny', { device: 'webgpu' })
    const { result } = await doomed.call('ask', again.id, { messages, maxTokens: 4 })
    expect(result.tokenIds).toHaveLength(4)
  })
})

test('WebGPU that was asked for and is not there is an error', async () => {
  const other = await startBench({ models })
  const without = await other.open()
  await expect(without.call('load', '/models/tiny', { device: 'webgpu' })).rejects.toMatchObject({
    code: 'BACKEND_UNAVAILABLE',
    message: expect.stringContaining('no adapter'),
  })
  // and a device that no browser has
  await expect(without.call('load', '/models/tiny', { device: 'cuda' })).rejects.toMatchObject({
    code: 'BACKEND_UNAVAILABLE',
  })
  expect(other.server.askedFor('/models')).toEqual([])
  await other.close()
})

import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encodeModel } from '../../src/formats/onnx/encode-model.js'
import { type OnnxNode, onnxDataTypes } from '../../src/formats/onnx/onnx-model.js'
import { testBackend } from '../contracts/backend-contract.js'
import { maxAbsDiff, readGolden } from '../support/official-golden.js'
import { decodeTensor } from './page/wire.js'
import { pageBackend } from './page-backend.js'
import type { ActionOutcome, SequenceAction } from './page-calls.js'
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

test('weights in bfloat16 run on WASM beside WebGPU, whose builds have no such type on the processor', async () => {
  const model = encodeModel({
    name: 'bfloat16',
    opsets: { '': 21 },
    inputs: [{ name: 'x', type: 'float32', dims: [2] }],
    outputs: [{ name: 'sum', type: 'float32', dims: [2] }],
    initializers: [{ name: 'weight', type: 'bfloat16', dims: [2], data: Uint8Array.of(0x80, 0x3f, 0, 0x40) }],
    nodes: [
      node('Cast', ['weight'], 'wide', { to: onnxDataTypes.float32 }),
      node('Add', ['x', 'wide'], 'sum'),
    ],
  })
  const source = { model, dataFolder: '', name: 'bfloat16' }
  const session = await pageBackend(() => page, ['webgpu', 'wasm']).createSession(source, { device: 'wasm' })
  const { sum } = await session.run({ x: { type: 'float32', data: Float32Array.of(10, 20), dims: [2] } })
  expect([...(sum!.data as Float32Array)]).toEqual([11, 22])
  await session.dispose()
})

test('joins the new keys and values of 80 layers, more than a shader can have inputs', async () => {
  const names = Array.from({ length: 160 }, (_, index) => `scaled.${index}`)
  const model = encodeModel({
    name: 'join',
    opsets: { '': 21 },
    inputs: [{ name: 'x', type: 'float32', dims: ['rows', 2] }],
    outputs: [{ name: 'joined', type: 'float32', dims: ['all', 2] }],
    initializers: names.map((name, index) => {
      return {
        name: `${name}.by`,
        type: 'float32',
        dims: [],
        data: new Uint8Array(Float32Array.of(index).buffer),
      }
    }),
    nodes: [
      ...names.map(name => node('Mul', ['x', `${name}.by`], name)),
      node('Concat', names, 'joined', { axis: 0 }),
    ],
  })
  const source = { model, dataFolder: '', name: 'join' }
  const session = await pageBackend(() => page, ['webgpu', 'wasm']).createSession(source, {
    device: 'webgpu',
  })
  const x = Float32Array.of(1, 2, 3, 4, 5, 6)
  const { joined } = await session.run({ x: { type: 'float32', data: x, dims: [3, 2] } })
  expect([...(joined!.data as Float32Array)]).toEqual(
    names.flatMap((_, by) => [...x].map(value => value * by)),
  )
  await session.dispose()
})

function node(opType: string, inputs: readonly string[], output: string, attributes = {}): OnnxNode {
  return { opType, domain: '', name: output, inputs, outputs: [output], attributes }
}

test('runs in a browser without JSPI', async () => {
  const old = await bench.open()
  await old.page.evaluate('delete WebAssembly.Suspending')
  const options = { device: 'webgpu', worker: false, cache: false } as const
  bench.server.reset()
  const { id } = await old.call('load', '/models/tiny', options)
  const messages = [{ role: 'user', content: 'hello' }]
  expect((await old.call('ask', id, { messages, maxTokens: 4 })).result.tokenIds).toHaveLength(4)
  const wasm = bench.server.requests.flatMap(({ path }) => (path.endsWith('.wasm') ? [path] : []))
  expect(wasm).toEqual(['/app/ort-wasm-simd-threaded.asyncify.wasm'])
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

  test('keeps its keys and values on the card, through cuts, copies and growth', async () => {
    const ids = (count: number) => Array.from({ length: count }, (_, i) => (i * 53 + 7) % 256)
    const actions: readonly SequenceAction[] = [
      { append: ids(20) },
      { append: [5] },
      { append: ids(240) },
      { append: [6] },
      { truncate: 30 },
      { append: [7] },
      { fork: 25 },
      { append: [8] },
    ]
    const replay = async (device: 'wasm' | 'webgpu') => {
      const stages = await page.call('loadStages', '/models/tiny', device)
      const outcomes = await page.call('replay', stages, actions)
      await page.call('disposeStages', stages)
      return outcomes
    }
    const expected = await replay('wasm')
    const found = await replay('webgpu')
    const values = ({ logits }: ActionOutcome) => (logits ? decodeTensor(logits).data : [])
    for (const [index, outcome] of found.entries()) {
      const difference = maxAbsDiff(values(outcome) as Float32Array, values(expected[index]!) as Float32Array)
      expect(difference, `action ${index}`).toBeLessThan(2e-4)
    }
    const steps = [1, 3, 5, 7].map(index => found[index]!.bytesMoved)
    expect(new Set(steps)).toEqual(new Set([steps[0]]))
    expect([found[4], found[6]]).toEqual([{ bytesMoved: 0 }, { bytesMoved: 0 }])
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

import { execFile } from 'node:child_process'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NVLMError } from '../../src/core/errors.js'
import type { EngineClient, EngineEvent } from '../../src/nvlm/engine-client.js'
import { type GenerateOptions, parseGenerateOptions } from '../../src/nvlm/generate-options.js'
import type { LoadHooks } from '../../src/nvlm/load-engine.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { epochNow } from '../../src/nvlm/run-clock.js'
import { decodeError, encodeError } from '../../src/nvlm/worker/protocol.js'
import { startEngineWorker } from '../../src/nvlm/worker/start-engine-worker.js'
import { endlessBlob } from '../support/endless-blob.js'
import { buildForNode } from './build-for-node.js'

let folder: string

beforeAll(async () => {
  folder = await buildForNode({
    worker: 'test/nvlm/fake-engine-worker.ts',
    client: 'src/nvlm/worker/start-engine-worker.ts',
  })
})

afterAll(() => rm(folder, { recursive: true, force: true }))

function start(scenario: string, hooks: LoadHooks = {}): Promise<EngineClient> {
  return startEngineWorker(pathToFileURL(join(folder, 'worker.mjs')), scenario, {}, hooks)
}

async function load(scenario: string): Promise<NVLM> {
  return new NVLM(await start(scenario))
}

describe('an engine in a worker', () => {
  test('answers as one in this thread does, with events on the way', async () => {
    const client = await start('fine')
    expect(client.info).toMatchObject({ id: 'fake-model', contextLength: 10_000 })
    const events: EngineEvent[] = []
    const { signal } = new AbortController()
    const request = parseGenerateOptions({ prompt: 'hello', images: ['1*2'] }, epochNow())
    const result = await client.run(request, { signal, onEvent: event => events.push(event) })
    expect(result).toMatchObject({
      text: 'u:\x01\x01\x01\x01hello',
      finishReason: 'stop',
      modelId: 'fake-model',
    })
    expect(events[0]).toEqual({ type: 'start', modelId: 'fake-model', warnings: [] })
    expect(events.map(event => (event.type === 'token' ? event.text : '')).join('')).toBe(result.text)
    expect(events.filter(({ type }) => type === 'progress').length).toBeGreaterThan(1)
    expect(result.timings.queueMs).toBeGreaterThan(0)
    expect(await client.countTokens(request)).toMatchObject({ promptTokens: 11, imageTokens: 4 })
    await client.dispose()
  })

  test('keeps requests in the order they came, whatever their pictures need', async () => {
    const nvlm = await load('fine')
    const order: string[] = []
    const slowBlob = {
      size: 1,
      type: '',
      arrayBuffer: async () => {
        await new Promise(resolve => setTimeout(resolve, 20))
        return new ArrayBuffer(1)
      },
    }
    const first = nvlm.generate({ prompt: 'a', images: [slowBlob] }).finally(() => order.push('first'))
    const second = nvlm.generate({ prompt: 'b' }).finally(() => order.push('second'))
    await Promise.allSettled([first, second])
    expect(order).toEqual(['first', 'second'])
    await nvlm.dispose()
  })

  test('sends what waits behind a picture that never ends, once that is aborted', async () => {
    const nvlm = await load('fine')
    const [first, second] = [new AbortController(), new AbortController()]
    const { blob, isRead } = endlessBlob()
    const order: string[] = []
    const endless = nvlm.generate({ prompt: 'a', images: [blob], signal: first.signal })
    const waiting = nvlm.generate({ prompt: 'b', signal: second.signal })
    const behind = nvlm.generate({ prompt: 'c' })
    behind.on('finish', () => order.push('behind'))
    await isRead
    second.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    // one that left lets nobody pass
    expect(await nvlm.generate({ prompt: 'd', signal: AbortSignal.abort() }).catch(() => 'left')).toBe('left')
    order.push('abort')
    first.abort(new Error('enough'))
    await expect(endless).rejects.toThrow('enough')
    expect(await behind.text()).toBe('u:c')
    expect(order).toEqual(['abort', 'behind'])
    await nvlm.dispose()
  })

  test('ends every wait for a picture that never ends with its model or its turn', async () => {
    const nvlm = await load('fine')
    const [picture, turn] = [endlessBlob(), endlessBlob()]
    const chat = nvlm.chat()
    const reply = chat.send('what?', { images: turn.blob })
    await turn.isRead
    reply.abort(new Error('enough'))
    await expect(reply).rejects.toThrow('enough')
    expect(await chat.send('hi').text()).toBe('u:hi')
    const calls = [nvlm.embed(picture.blob), nvlm.countTokens({ prompt: 'x' })]
    await picture.isRead
    const ends = calls.map(call => expect(call).rejects.toMatchObject({ code: 'DISPOSED' }))
    await nvlm.dispose()
    await Promise.all(ends)
  })

  test.each(['endless', 'blocking'])('stops within one step of an abort (%s)', async scenario => {
    const nvlm = await load(scenario)
    const controller = new AbortController()
    const reply = nvlm.generate('x', { signal: controller.signal, maxTokens: 4000, promptLookup: false })
    reply.on('token', ({ index }) => index === 5 && controller.abort(new Error('enough')))
    await expect(reply).rejects.toThrow('enough')
    expect(reply.partial).toMatchObject({ finishReason: 'aborted', text: expect.stringMatching(/^a{6,}$/) })
    if (scenario === 'blocking') expect(reply.partial?.tokenIds.length).toBeLessThan(9)
    await nvlm.dispose()
  })

  test('leaves this thread free while it computes', async () => {
    const nvlm = await load('blocking')
    let [numTicks, longest, last] = [0, 0, performance.now()]
    const timer = setInterval(() => {
      numTicks++
      longest = Math.max(longest, performance.now() - last)
      last = performance.now()
    }, 5)
    await nvlm.generate('x', { promptLookup: false })
    clearInterval(timer)
    expect(numTicks).toBeGreaterThan(30)
    expect(longest).toBeLessThan(500)
    await nvlm.dispose()
  })

  test('brings errors over with their code, hint and cause', async () => {
    const nvlm = await load('failing')
    const error = await nvlm.generate('x').catch(error => error)
    expect(NVLMError.isInstance(error)).toBe(true)
    expect(error).toMatchObject({
      code: 'BACKEND_FAILED',
      message: 'the graph does not run',
      hint: 'Try another.',
      cause: { name: 'RangeError', message: 'too far' },
    })
    await nvlm.dispose()
  })

  test('that crashes fails what is pending and what comes later, and can be disposed', async () => {
    const nvlm = await load('crashing')
    const replies = [nvlm.generate('1'), nvlm.generate('2')]
    for (const reply of replies) {
      await expect(reply).rejects.toMatchObject({
        code: 'ENGINE_FAILED',
        message: expect.stringContaining('the native code gave up'),
      })
    }
    await expect(nvlm.generate('3')).rejects.toMatchObject({ code: 'ENGINE_FAILED' })
    await expect(nvlm.countTokens({ prompt: '' })).rejects.toMatchObject({ code: 'ENGINE_FAILED' })
    await nvlm.dispose()
  })

  test('disposed during a run lets the step end and exits by itself', async () => {
    const nvlm = await load('blocking')
    const [running, waiting] = [nvlm.generate('1'), nvlm.generate('2')]
    await running[Symbol.asyncIterator]().next()
    await nvlm.dispose()
    await expect(running).rejects.toMatchObject({ code: 'DISPOSED' })
    await expect(waiting).rejects.toMatchObject({ code: 'DISPOSED' })
    expect(running.partial?.text).toMatch(/^a+$/)
    expect(() => nvlm.generate('3')).toThrowError(expect.objectContaining({ code: 'DISPOSED' }))
  })
})

describe('loading in a worker', () => {
  test('reports progress', async () => {
    const progress: unknown[] = []
    const client = await start('fine', { onProgress: step => progress.push(step) })
    expect(progress).toEqual([{ stage: 'open', done: 0, total: 1 }])
    await client.dispose()
  })

  test.each([
    [
      'missing',
      { code: 'MODEL_NOT_FOUND', message: 'missing: no config.json', hint: 'Give another folder.' },
    ],
    ['dying', { name: 'Error', message: 'an unexpected thing' }],
    ['exiting', { code: 'ENGINE_FAILED', message: expect.stringContaining('code 7') }],
  ])('passes on why it failed (%s)', async (scenario, error) => {
    await expect(start(scenario)).rejects.toMatchObject(error)
  })

  test('stops at an abort with its reason', async () => {
    const controller = new AbortController()
    const loading = start('waiting', {
      signal: controller.signal,
      onProgress: () => setImmediate(() => controller.abort('changed my mind')),
    })
    await expect(loading).rejects.toBe('changed my mind')
  })
})

describe('pictures on their way to a worker', () => {
  const arrived = async (nvlm: NVLM, image: unknown): Promise<unknown> =>
    JSON.parse(await nvlm.generate({ prompt: '', images: [image] } as GenerateOptions).text())

  test('arrive whole, and the caller keeps his', async () => {
    const nvlm = await load('images')
    const bytes = Uint8Array.of(9, 8, 1, 2, 3, 9)
    const view = bytes.subarray(2, 5)
    expect(await arrived(nvlm, view)).toBe('3 of 3: 1,2,3')
    expect(await arrived(nvlm, Buffer.from([1, 2]))).toBe('2 of 2: 1,2')
    expect(await arrived(nvlm, bytes.buffer)).toBe('6 of 6: 9,8,1,2,3,9')
    expect(await arrived(nvlm, new Blob([view]))).toBe('3 of 3: 1,2,3')
    expect(bytes).toEqual(Uint8Array.of(9, 8, 1, 2, 3, 9))
    const pixels = { width: 1, height: 2, channels: 1, data: new Uint8ClampedArray([7, 8]) }
    expect(await arrived(nvlm, pixels)).toEqual({ ...pixels, data: '2 of 2: 7,8' })
    expect(pixels.data.length).toBe(2)
    expect(await arrived(nvlm, 'a b.png')).toBe('a b.png')
    expect(await arrived(nvlm, new URL('file:///a%20b.png'))).toBe('file:///a%20b.png')
    await nvlm.dispose()
  })

  test('of sharp are made into pixels, and the instance can still be used', async () => {
    const nvlm = await load('images')
    const image = sharp({
      create: { width: 2, height: 1, channels: 4, background: { r: 1, g: 2, b: 3, alpha: 0.5 } },
    })
    expect(await arrived(nvlm, image)).toEqual({
      width: 2,
      height: 1,
      channels: 3,
      data: '6 of 6: 1,2,3,1,2,3',
    })
    expect((await image.metadata()).width).toBe(2)
    await nvlm.dispose()
  })

  test('that are none are refused here', async () => {
    const nvlm = await load('images')
    await expect(arrived(nvlm, () => {})).rejects.toMatchObject({ code: 'IMAGE_INPUT' })
    await expect(arrived(nvlm, { some: 'thing' })).rejects.toMatchObject({ code: 'IMAGE_INPUT' })
    await nvlm.dispose()
  })
})

describe('a process with a worker', () => {
  test.each([
    ['that forgot to dispose', ''],
    ['that disposed', 'await client.dispose()'],
  ])('%s ends by itself', async (_, end) => {
    const script = join(folder, 'script.mjs')
    await writeFile(
      script,
      `import { startEngineWorker } from './client.mjs'
      const client = await startEngineWorker(new URL('./worker.mjs', import.meta.url), 'fine', {}, {})
      const controller = new AbortController()
      const request = { messages: [{ role: 'user', content: 'hi' }], sampling: {}, stop: [], submittedAt: 0 }
      const { text } = await client.run(request, { signal: controller.signal, onEvent() {} })
      process.stdout.write(text)
      ${end}`,
    )
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [script], { timeout: 20_000 })
    expect([stdout, stderr]).toEqual(['u:hi', ''])
  })
})

describe('errors on the wire', () => {
  test('keep code, hint, name and causes, rings of causes too', () => {
    const inner = new TypeError('inner')
    const error = new NVLMError('NUMERIC', 'outer', { hint: 'h', cause: inner, details: { place: 7 } })
    inner.cause = error
    const back = decodeError(structuredClone(encodeError(error)))
    expect(back).toBeInstanceOf(NVLMError)
    expect(back).toMatchObject({
      code: 'NUMERIC',
      message: 'outer',
      hint: 'h',
      details: { place: 7 },
      cause: { name: 'TypeError' },
    })
    expect(decodeError(encodeError('text'))).toMatchObject({ name: 'Error', message: 'text' })
  })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { NVLMError } from '../../src/core/errors.js'
import type { EngineClient } from '../../src/nvlm/engine-client.js'
import { loadEngine } from '../../src/nvlm/load-engine.js'
import { parseLoadOptions } from '../../src/nvlm/load-options.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import type { EngineProcess } from '../../src/nvlm/worker/engine-process-client.js'
import { nodeEngineRuntime } from '../../src/nvlm/worker/node-host.js'
import { SupervisedEngine } from '../../src/nvlm/worker/supervised-engine.js'
import { buildForNode } from './build-for-node.js'

let folder: string

beforeAll(async () => {
  folder = await buildForNode({
    process: 'test/nvlm/fake-engine-process.ts',
    client: 'src/nvlm/worker/engine-process-client.ts',
  })
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const warnings: string[] = []
const models: NVLM[] = []
afterEach(async () => {
  warnings.length = 0
  for (const model of models.splice(0)) await model.dispose()
})

async function load(scenario: string, stallTimeoutMs = 60_000): Promise<NVLM> {
  const runtime = nodeEngineRuntime(new URL('file:///none'), pathToFileURL(join(folder, 'process.mjs')))
  const onWarning = (message: string) => warnings.push(message)
  const options = { worker: 'process', stallTimeoutMs, onWarning } as const
  const nvlm = new NVLM(await loadEngine(scenario, options, runtime))
  models.push(nvlm)
  return nvlm
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe('an engine in a process', () => {
  test('answers as one in this process does, and ends with the model', async () => {
    const nvlm = await load('fine')
    expect(nvlm.info.id).toBe('fake-model')
    const pieces: string[] = []
    const reply = nvlm.generate({ prompt: 'hello', images: [Uint8Array.of(49)] })
    for await (const text of reply) pieces.push(text)
    expect(pieces.join('')).toBe('you said u:\x01\x01hello')
    expect(await nvlm.countTokens({ prompt: 'hello' })).toMatchObject({ promptTokens: 7 })
    const { state, numRestarts, pid } = nvlm.engine!
    expect({ state, numRestarts }).toEqual({ state: 'ready', numRestarts: 0 })
    expect(pid).not.toBe(process.pid)
    await nvlm.dispose()
    expect(isAlive(pid!)).toBe(false)
    expect(warnings).toEqual([])
  })

  test.each([
    ['missing', { code: 'MODEL_NOT_FOUND', message: 'missing: no config.json' }],
    ['dying', { code: 'ENGINE_FAILED', message: expect.stringContaining('exited with code 7') }],
  ])('passes on why loading failed (%s)', async (scenario, error) => {
    await expect(load(scenario)).rejects.toMatchObject(error)
  })

  test.each([
    ['die', 'was killed by SIGKILL'],
    ['exit', 'exited with code 9'],
  ])('that dies of a request fails what ran, and starts again (%s)', async (word, how) => {
    const nvlm = await load('fine')
    const running = nvlm.generate('long')
    await running[Symbol.asyncIterator]().next()
    await expect(nvlm.generate(word)).rejects.toMatchObject({ code: 'ENGINE_FAILED' })
    await expect(running).rejects.toMatchObject({ code: 'ENGINE_FAILED' })
    expect(await nvlm.generate('next').text()).toBe('you said u:next')
    expect(nvlm.engine).toMatchObject({ state: 'ready', numRestarts: 1 })
    expect(warnings).toEqual([`the engine's process ${how}; it is started again`])
  })

  test('that hangs is killed after the silence allowed, and starts again', async () => {
    const nvlm = await load('fine', 300)
    await expect(nvlm.generate('hang')).rejects.toMatchObject({ code: 'ENGINE_FAILED' })
    expect(await nvlm.generate('next').text()).toBe('you said u:next')
    expect(warnings[0]).toMatch(/^the engine said nothing for \d+ ms and is killed$/)
  })

  test('that is killed again and again gives every other answer whole', async () => {
    const nvlm = await load('fine')
    for (let round = 0; round < 4; round++) {
      const replies = ['a', 'die', 'b'].map(prompt => nvlm.generate(prompt))
      const settled = await Promise.allSettled(replies)
      for (const [index, { status, ...rest }] of settled.entries()) {
        const prompt = ['a', 'die', 'b'][index]
        if (status === 'fulfilled') expect(rest).toMatchObject({ value: { text: `you said u:${prompt}` } })
        else expect(rest).toMatchObject({ reason: { code: 'ENGINE_FAILED' } })
      }
      expect(settled[1]!.status).toBe('rejected')
    }
    expect(await nvlm.generate('c').text()).toBe('you said u:c')
  })
})

describe('the process of an engine', () => {
  test('ends when its host is killed', async () => {
    const script = join(folder, 'host.mjs')
    await writeFile(
      script,
      `import { startEngineProcess } from './client.mjs'
      const { pid } = await startEngineProcess(new URL('./process.mjs', import.meta.url), 'fine', {}, {})
      process.stdout.write(String(pid))
      setInterval(() => {}, 1000)`,
    )
    const host = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [pid] = await once(host.stdout!, 'data')
    expect(isAlive(Number(pid))).toBe(true)
    host.kill('SIGKILL')
    await vi.waitFor(() => expect(isAlive(Number(pid))).toBe(false), { timeout: 5000 })
  })
})

/** A process that is there until it is told to end. */
function fakeProcess(): EngineProcess & { end(how: string): void } {
  let end: (how: string) => void = () => {}
  const exited = new Promise<string>(resolve => {
    end = resolve
  })
  const client = {
    info: { id: 'fake', device: {} },
    countTokens: async () => ({ promptTokens: 1 }),
    dispose: async () => end('ended'),
  } as unknown as EngineClient
  return { pid: 1, client, exited, end, heardAt: () => 0, kill: () => end('was killed') }
}

describe('an engine that starts again', () => {
  test('holds no request that is aborted meanwhile', async () => {
    const first = fakeProcess()
    const engine = new SupervisedEngine(first, () => new Promise(() => {}), { stallTimeoutMs: 1000 })
    first.end('exited with code 1')
    await first.exited
    expect(engine.status.state).toBe('starting')
    const controller = new AbortController()
    const { signal } = controller
    const run = engine.run({ messages: [] } as never, { signal, onEvent: () => {} })
    const calls = [engine.embedImages({} as never, signal), engine.openImage('', signal)]
    const ends = calls.map(call => expect(call).rejects.toThrow('enough'))
    controller.abort(new Error('enough'))
    await Promise.all(ends)
    expect(await run).toMatchObject({ finishReason: 'aborted', modelId: first.client.info.id })
  })
})

describe('an engine that can not be started again', () => {
  test('fails what comes, is tried again after a pause, and then answers', async () => {
    vi.useFakeTimers()
    try {
      const first = fakeProcess()
      const starts = [Promise.reject(new Error('no memory')), Promise.resolve(fakeProcess())]
      const messages: string[] = []
      const engine = new SupervisedEngine(first, () => starts.shift()!, {
        stallTimeoutMs: 1000,
        onWarning: message => messages.push(message),
      })
      first.end('exited with code 1')
      await vi.advanceTimersByTimeAsync(0)
      expect(engine.status).toEqual({ state: 'failed', numRestarts: 1, pid: undefined })
      const request = { messages: [] }
      const error = await engine.countTokens(request).catch(error => error)
      expect(NVLMError.isInstance(error)).toBe(true)
      expect(error).toMatchObject({ code: 'ENGINE_FAILED', cause: { message: 'no memory' } })
      await vi.advanceTimersByTimeAsync(1000)
      expect(engine.status).toMatchObject({ state: 'ready', numRestarts: 2 })
      expect(await engine.countTokens(request)).toEqual({ promptTokens: 1 })
      expect(messages[1]).toBe('the engine did not start (no memory); trying again')
      await engine.dispose()
      await expect(engine.countTokens(request)).rejects.toMatchObject({ code: 'DISPOSED' })
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('loading into a process', () => {
  test('is refused where there are none, and its options where they do nothing', async () => {
    const loading = loadEngine('x', { worker: 'process' }, nodeEngineRuntime(new URL('file:///none')))
    await expect(loading).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    expect(() => parseLoadOptions({ stallTimeoutMs: 1000 })).toThrowError(/"stallTimeoutMs" without "worker"/)
    expect(() => parseLoadOptions({ worker: 'elsewhere' as never })).toThrowError(/true, false or "process"/)
  })
})

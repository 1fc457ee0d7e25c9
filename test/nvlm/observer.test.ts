import { channel } from 'node:diagnostics_channel'
import { afterEach, describe, expect, expectTypeOf, test } from 'vitest'
import { Engine } from '../../src/nvlm/engine.js'
import type { EngineRuntime } from '../../src/nvlm/load-engine.js'
import { loadModel } from '../../src/nvlm/load-model.js'
import type { LoadOptions } from '../../src/nvlm/load-options.js'
import { NVLM } from '../../src/nvlm/nvlm.js'
import type { GenerateFinishMessage, TelemetryMessages } from '../../src/nvlm/telemetry.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { FakeStages, nextTurn } from './fake-stages.js'

const NAMES = ['nvlm:load', 'nvlm:generate:start', 'nvlm:generate:finish', 'nvlm:generate:error'] as const
const SECRET = 'my secret question'

interface Heard {
  readonly name: string
  // biome-ignore lint/suspicious/noExplicitAny: messages are compared, not used
  readonly message: any
}

let unsubscribe = () => {}

function listen(): Heard[] {
  const heard: Heard[] = []
  const hear = (message: unknown, name: string | symbol) => heard.push({ name: String(name), message })
  for (const name of NAMES) channel(name).subscribe(hear)
  unsubscribe = () => {
    for (const name of NAMES) channel(name).unsubscribe(hear)
  }
  return heard
}

afterEach(() => unsubscribe())

function runtime(stages: FakeStages | Error): EngineRuntime {
  return {
    nextTurn,
    loadStages: async () => {
      if (stages instanceof Error) throw stages
      return stages
    },
    startWorker: async () => new Engine(new FakeStages(), { nextTurn }),
  }
}

async function load(options: LoadOptions = {}, stages: FakeStages | Error = new FakeStages()): Promise<NVLM> {
  const { client, surroundings } = await loadModel(
    '/some/where/my-model',
    { worker: false, ...options },
    runtime(stages),
    nodePlatform,
  )
  return new NVLM(client, surroundings)
}

describe('diagnostics channels', () => {
  test('tell of loading, starts and ends, without what was asked, answered or seen', async () => {
    const heard = listen()
    const nvlm = await load()
    await nvlm.generate(SECRET, { images: ['7'], temperature: 0.5, seed: 3, maxTokens: 9, stop: '.' })
    await nextTurn()
    expect(heard.map(({ name }) => name)).toEqual([
      'nvlm:load',
      'nvlm:generate:start',
      'nvlm:generate:finish',
    ])
    const [loaded, start, finish] = heard.map(({ message }) => message)
    expect(loaded).toEqual({ modelId: 'my-model', durationMs: expect.any(Number), info: nvlm.info })
    expect(start).toMatchObject({
      modelId: 'fake-model',
      family: 'fake',
      numMessages: 1,
      numImages: 1,
      sampling: { temperature: 0.5 },
      maxTokens: 9,
      seed: 3,
      stop: ['.'],
    })
    expect(finish).toMatchObject({
      id: start.id,
      finishReason: expect.stringMatching(/^(stop|length)$/),
      usage: { imageTokens: 2 },
      device: 'cpu',
    })
    expect(finish.durationMs).toBeGreaterThan(0)
    expect(JSON.stringify(heard)).not.toContain(SECRET)
    expect([start.messages, finish.text]).toEqual([undefined, undefined])
    expectTypeOf<TelemetryMessages['nvlm:generate:finish']>().toEqualTypeOf<GenerateFinishMessage>()
  })

  test('start inside the call, so that a subscriber sees the caller’s context', async () => {
    const heard = listen()
    const nvlm = await load()
    const reply = nvlm.generate('hi')
    expect(heard.at(-1)?.name).toBe('nvlm:generate:start')
    await reply
  })

  test('record inputs and outputs when asked to, but never pictures', async () => {
    const heard = listen()
    const nvlm = await load({ telemetry: { recordInputs: true, metadata: { team: 'a' } } })
    const telemetry = { recordOutputs: true, functionId: 'f' }
    await nvlm.generate(SECRET, { images: ['7'], system: 's', telemetry })
    await nextTurn()
    expect(heard[1]?.message).toMatchObject({
      functionId: 'f',
      metadata: { team: 'a' },
      messages: [
        { role: 'system', content: 's' },
        { role: 'user', content: `[image]${SECRET}` },
      ],
    })
    expect(heard[2]?.message.text).toBe('ok')
  })

  test('are silent when told so, for the model or for one call', async () => {
    const heard = listen()
    const silent = await load({ telemetry: false })
    await silent.generate('hi')
    await nextTurn()
    expect(heard).toEqual([])
    await silent.generate('hi', { telemetry: {} })
    await (await load()).generate('hi', { telemetry: false })
    await nextTurn()
    expect(heard.map(({ name }) => name)).toEqual([
      'nvlm:generate:start',
      'nvlm:generate:finish',
      'nvlm:load',
    ])
  })

  test('tell a failure from an abort', async () => {
    const heard = listen()
    const nvlm = await load({}, new FakeStages({ work: nextTurn, answer: () => 'a'.repeat(100) }))
    await nvlm.generate('hi', { images: ['no'] }).catch(() => {})
    const reply = nvlm.generate('hi')
    reply.on('token', ({ index }) => index === 3 && reply.abort())
    await reply.catch(() => {})
    await nextTurn()
    const find = (name: string) => heard.find(entry => entry.name === name)?.message
    expect(find('nvlm:generate:error')).toMatchObject({ error: { code: 'IMAGE_INPUT' } })
    expect(find('nvlm:generate:finish')).toMatchObject({
      finishReason: 'aborted',
      usage: { completionTokens: 4 },
    })
  })

  test('tell when loading failed', async () => {
    const heard = listen()
    const failure = new Error('no such model')
    await expect(load({}, failure)).rejects.toBe(failure)
    expect(heard).toEqual([
      {
        name: 'nvlm:load',
        message: { modelId: 'my-model', durationMs: expect.any(Number), error: failure },
      },
    ])
  })
})

describe('a logger', () => {
  test('gets a line of loading, of warnings, of ends and of failures', async () => {
    const lines: string[] = []
    const write = (level: string) => (message: string) => lines.push(`${level}: ${message}`)
    const logger = {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
    }
    const nvlm = await load({ logger })
    await nvlm.generate('hi', { topK: 3 })
    await nvlm.generate('hi', { images: ['no'] }).catch(() => {})
    await nextTurn()
    await load({ logger }, new Error('broken')).catch(() => {})
    expect(lines).toEqual([
      'info: my-model is loaded',
      expect.stringMatching(/^warn: topK/),
      'debug: a generation ended',
      'error: a generation failed',
      'error: my-model could not be loaded',
    ])
  })

  test.each([
    [{ logger: {} }, /option "logger": expected a logger/],
    [{ telemetry: true }, /option "telemetry": expected false or/],
    [{ telemetry: { recordInput: true } }, /option "telemetry/],
  ])('and telemetry that are none are refused: %j', async (options, message) => {
    await expect(load(options as never)).rejects.toThrowError(message)
  })
})

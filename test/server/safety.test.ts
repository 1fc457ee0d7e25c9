import { afterEach, describe, expect, test } from 'vitest'
import { type ErrorCode, NVLMError } from '../../src/core/errors.js'
import type { NVLM } from '../../src/nvlm/nvlm.js'
import { createServer } from '../../src/server/create-server.js'
import { serveModel } from '../../src/server/node/serve-model.js'
import type { ServedModel } from '../../src/server/served-model.js'
import type { RequestRecord } from '../../src/server/server-options.js'
import { chatRequest, createGate, fakeModel } from './fake-model.js'

const models: NVLM[] = []
afterEach(async () => {
  for (const model of models.splice(0)) await model.dispose()
})

function model(...args: Parameters<typeof fakeModel>): NVLM {
  const made = fakeModel(...args)
  models.push(made)
  return made
}

const ROUTES = ['/health', '/metrics', '/v1/models', '/v1/chat/completions', '/v1/responses', '/other']

describe('who may ask', () => {
  test.each(ROUTES)('%s needs the key', async path => {
    const server = createServer(model(), { apiKey: 'right' })
    for (const key of [undefined, '', 'wrong', 'right ', 'rightright', 'righ']) {
      const headers =
        key === undefined ? {} : { authorization: `Bearer ${key}x`.replace('right x', 'rightx') }
      const response = await server.fetch(new Request(`http://localhost${path}`, { headers }))
      expect([key, response.status]).toEqual([key, 401])
      expect(response.headers.get('www-authenticate')).toBe('Bearer')
    }
    const headers = { authorization: 'Bearer right' }
    const response = await server.fetch(new Request(`http://localhost${path}`, { headers }))
    expect(response.status).not.toBe(401)
  })

  test.each(ROUTES)('%s answers to no name that nobody gave the server', async path => {
    const server = createServer(model(), { allowedHosts: ['api.example.com'] })
    const status = async (host: string) =>
      (await server.fetch(new Request(`http://${host}${path}`, { headers: { host } }))).status
    for (const host of ['evil.com', 'localhost.evil.com', '127.0.0.1.nip.io', 'api.example.com.evil.com']) {
      expect([host, await status(host)]).toEqual([host, 403])
    }
    for (const host of [
      'localhost',
      'localhost:8000',
      '127.0.0.1',
      '[::1]:80',
      '10.0.0.7',
      'API.example.com',
    ]) {
      expect([host, await status(host)]).not.toEqual([host, 403])
    }
  })

  test('pages of other origins are not let in', async () => {
    const server = createServer(model())
    const headers = { origin: 'https://evil.com', 'access-control-request-method': 'POST' }
    const asked = await server.fetch(
      new Request('http://localhost/v1/chat/completions', { method: 'OPTIONS', headers }),
    )
    expect(asked.status).toBe(405)
    const simple = await server.fetch(chatRequest({}, { headers: { origin: 'https://evil.com' } }))
    for (const response of [asked, simple]) {
      expect([...response.headers.keys()].filter(name => name.startsWith('access-control'))).toEqual([])
    }
  })

  test.each(['0.0.0.0', '::', '192.168.1.5', 'example.com'])('others need a key to listen (%s)', host => {
    expect(() => serveModel(model(), { host })).toThrowError(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    )
  })
})

describe('what errors tell', () => {
  const SECRETS = [
    '/home/ann/models/nvlm.json',
    '/home/my folder of ann/nvlm.json',
    'C:\\Users\\ann\\model',
    '0x7ffd3a2b1c00',
    'https://user:word@hub.example.com/x',
    'Bearer hf_abcdef',
  ]
  const codes: readonly (ErrorCode | undefined)[] = [
    ...(['INVALID_OPTION', 'IMAGE_DECODE', 'IMAGE_INPUT', 'CONTEXT_OVERFLOW', 'UNSUPPORTED'] as const),
    ...([
      'SCHEMA_UNSUPPORTED',
      'ENGINE_FAILED',
      'BACKEND_FAILED',
      'NUMERIC',
      'FILTERED',
      'DISPOSED',
    ] as const),
    undefined,
  ]

  test.each(codes)('%s is told without paths, addresses, keys and stacks, also in the log', async code => {
    const message = `it went wrong: ${SECRETS.join(' and ')}`
    const error = code ? new NVLMError(code, message, { cause: new Error(message) }) : new Error(message)
    const records: RequestRecord[] = []
    for (const stream of [false, true]) {
      const broken: ServedModel = {
        info: { id: 'fake-model', contextLength: 10 },
        countTokens: () => Promise.reject(error),
        generate: () => {
          const failed = Promise.reject(error)
          failed.catch(() => {})
          return {
            partial: undefined,
            on: () => {},
            // biome-ignore lint/suspicious/noThenProperty: a generation is awaited
            then: failed.then.bind(failed),
            parts: { [Symbol.asyncIterator]: () => ({ next: () => failed as never }) },
          }
        },
      }
      const server = createServer(broken, { onRequest: record => records.push(record) })
      const response = await server.fetch(chatRequest({ stream }))
      expect(response.status).toBeGreaterThanOrEqual(400)
      const body = (await response.json()) as { error: object }
      expect(Object.keys(body.error).sort()).toEqual(['code', 'message', 'param', 'type'])
      const told = JSON.stringify([body, [...response.headers], records])
      for (const secret of [/ann/, /0x7ffd/, /word/, /hf_/, /\.ts:\d/, /node_modules/, / at .*\(/]) {
        expect(told).not.toMatch(secret)
      }
    }
    expect(records).toHaveLength(2)
  })

  test('an engine that ended is a 503 that says when to come again', async () => {
    const broken = {
      ...listing(model()),
      generate: () => {
        throw new NVLMError('ENGINE_FAILED', 'dead')
      },
    }
    const response = await createServer(broken as ServedModel).fetch(chatRequest())
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    expect(((await response.json()) as { error: object }).error).toMatchObject({
      type: 'server_error',
      code: 'engine_failed',
    })
  })
})

function listing({ info }: NVLM): Pick<ServedModel, 'info' | 'countTokens'> {
  return { info, countTokens: () => Promise.reject(new Error('not asked')) }
}

describe('too many at once', () => {
  test('are refused at once, and those that wait are answered', async () => {
    const gate = createGate()
    const records: RequestRecord[] = []
    const server = createServer(model({ work: gate.work }), { onRequest: record => records.push(record) })
    const leavers = Array.from({ length: 200 }, () => new AbortController())
    const answers = leavers.map(({ signal }) => server.fetch(chatRequest({ max_tokens: 2 }, { signal })))
    const first = await Promise.race([answers[199]!, new Promise(resolve => setTimeout(resolve, 2000))])
    expect(first).toMatchObject({ status: 429 })
    const refused = records.filter(({ status }) => status === 429)
    expect(refused).toHaveLength(200 - 32)
    const refusal = (await answers[199])!
    expect(Number(refusal.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(((await refusal.json()) as { error: object }).error).toMatchObject({
      type: 'rate_limit_error',
      code: 'queue_full',
    })
    // half of those that wait leave; their places are free again
    for (const leaver of leavers.slice(8, 24)) leaver.abort()
    await Promise.all(answers.slice(8, 24))
    const waiting = async () => (await server.fetch(new Request('http://localhost/health'))).json()
    expect(await waiting()).toMatchObject({ running: 1, waiting: 15 })
    gate.open()
    const statuses = (await Promise.all([...answers.slice(0, 8), ...answers.slice(24, 32)])).map(
      ({ status }) => status,
    )
    expect(statuses).toEqual(Array.from({ length: 16 }, () => 200))
    expect(await waiting()).toMatchObject({ running: 0, waiting: 0 })
  })

  test('answers of one request count each', async () => {
    const gate = createGate()
    const server = createServer(model({ work: gate.work }), { maxQueued: 4 })
    expect((await server.fetch(chatRequest({ n: 5 }))).status).toBe(429)
    const fine = server.fetch(chatRequest({ n: 3, max_tokens: 2 }))
    gate.open()
    expect((await fine).status).toBe(200)
  })
})

describe('a server that stops', () => {
  test('lets what runs end, and takes nothing new', async () => {
    const gate = createGate()
    const server = createServer(model({ work: gate.work }))
    const running = server.fetch(chatRequest({ max_tokens: 2 }))
    await new Promise(resolve => setTimeout(resolve, 20))
    const drained = server.drain()
    expect((await server.fetch(chatRequest())).status).toBe(503)
    const health = await server.fetch(new Request('http://localhost/health'))
    expect([health.status, ((await health.json()) as { status: string }).status]).toEqual([503, 'draining'])
    gate.open()
    expect((await running).status).toBe(200)
    await drained
  })

  test('stops what does not end in time, and says so in the stream', async () => {
    const answer = () => 'a'.repeat(9000)
    const server = createServer(model({ answer, work: () => new Promise(resolve => setTimeout(resolve, 1)) }))
    const response = await server.fetch(chatRequest({ stream: true, max_tokens: 9000 }))
    const body = response.text()
    await server.drain(50)
    const last = (await body).trim().split('\n').at(-1)!
    expect(JSON.parse(last.slice('data: '.length)).error).toMatchObject({ code: 'shutting_down' })
  })
})

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { createServer } from '../../src/server/create-server.js'
import { type HttpFront, listenHttp } from '../../src/server/node/http-front.js'
import { fakeModel } from './fake-model.js'

const fronts: HttpFront[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const front of fronts.splice(0)) await front.close(0)
})

async function listen(limits = {}, options = {}): Promise<HttpFront> {
  const answer = () => 'a'.repeat(5000)
  const model = fakeModel({ answer, work: () => new Promise(resolve => setTimeout(resolve, 2)) })
  const front = await listenHttp(createServer(model, options), { host: '127.0.0.1', port: 0, ...limits })
  fronts.push(front)
  return front
}

/** Write bytes as they are; gives all that comes until the end. */
async function raw({ url }: HttpFront, text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  sockets.push(socket)
  let answer = ''
  socket.on('data', data => {
    answer += data
  })
  socket.on('error', () => {})
  socket.write(text)
  await once(socket, 'close')
  return answer
}

const HEAD = 'POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'

describe('connections', () => {
  test('that send their head or body too slowly are ended, while others are answered', async () => {
    const front = await listen({ headersTimeoutMs: 200, requestTimeoutMs: 400 })
    const slow = Array.from({ length: 50 }, () =>
      raw(front, 'POST /v1/chat/completions HTTP/1.1\r\nHost: loc'),
    )
    const halves = Array.from({ length: 10 }, () => raw(front, `${HEAD}Content-Length: 100\r\n\r\n{"mo`))
    expect((await fetch(`${front.url}/health`)).status).toBe(200)
    for (const answer of await Promise.all(slow)) expect(answer).toMatch(/^HTTP\/1.1 408 .*request_timeout/s)
    for (const answer of await Promise.all(halves))
      expect(answer).toMatch(/^HTTP\/1.1 408 .*request_timeout/s)
    expect(await (await fetch(`${front.url}/health`)).json()).toMatchObject({ running: 0, waiting: 0 })
  })

  test.each([
    ['a head of 20 kB', `GET /health HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['no HTTP', 'hello\r\n\r\n', 400],
    [
      'a URL with a host of its own',
      'GET http://evil.com/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
      400,
    ],
    ['a host that is none', 'GET /health HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n', 400],
    ['two slashes', 'GET //evil.com/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', 404],
  ])('with %s are refused', async (_, text, status) => {
    const answer = await raw(await listen(), text)
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toContain('{"error":{')
  })

  test('are no more than allowed', async () => {
    const front = await listen({ maxConnections: 2 })
    const idle = [raw(front, HEAD), raw(front, HEAD)]
    await expect
      .poll(() =>
        fetch(`${front.url}/health`).then(
          () => 'let in',
          () => 'refused',
        ),
      )
      .toBe('refused')
    for (const socket of sockets) socket.destroy()
    await Promise.all(idle)
    await expect
      .poll(() =>
        fetch(`${front.url}/health`).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200)
  })

  test('whose body was not read go on with the next request', async () => {
    const front = await listen({}, { maxBodyBytes: 1000 })
    const body = 'x'.repeat(2_000_000)
    const next = 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
    const answers = await raw(front, `${HEAD}Content-Length: ${body.length}\r\n\r\n${body}${next}`)
    const heads = answers.split('\r\n').filter(line => line.startsWith('HTTP/1.1 '))
    expect(heads).toEqual(['HTTP/1.1 413 Payload Too Large', 'HTTP/1.1 200 OK'])
  })

  test('read why their body is too large', async () => {
    const front = await listen({}, { maxBodyBytes: 1000 })
    const body = 'x'.repeat(2_000_000)
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${front.url}/v1/chat/completions`, { method: 'POST', headers, body })
    expect(response.status).toBe(413)
  })

  test('that end free their place within a step and 100 ms', async () => {
    const front = await listen()
    const controller = new AbortController()
    const body = JSON.stringify({
      model: 'fake-model',
      messages: [{ role: 'user', content: 'x' }],
      stream: true,
      max_tokens: 5000,
    })
    const headers = { 'content-type': 'application/json' }
    const { signal } = controller
    const response = await fetch(`${front.url}/v1/chat/completions`, {
      method: 'POST',
      headers,
      body,
      signal,
    })
    await response.body!.getReader().read()
    controller.abort()
    const leftAt = performance.now()
    const health = async () => (await (await fetch(`${front.url}/health`)).json()) as { running: number }
    while ((await health()).running > 0);
    expect(performance.now() - leftAt).toBeLessThan(150)
  })
})

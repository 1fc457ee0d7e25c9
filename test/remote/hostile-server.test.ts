import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { NVLMError } from '../../src/core/errors.js'
import { answerText, openStream } from '../support/fake-chat-server.js'
import { openRemote, serve } from './open-remote.js'

/** A server whose chats do this. */
const serveChat = (answer: (response: ServerResponse) => unknown) =>
  serve(({ path }, response) => {
    if (path === '/v1/chat/completions') answer(response)
  })

const PIECE = 'data: {"choices":[{"delta":{"content":"a "},"token_ids":[1]}]}\n\n'

/** Write the same again and again until the client has gone; gives the number of bytes. */
async function flood(response: ServerResponse, text: string): Promise<number> {
  let numBytes = 0
  const closed = new Promise(resolve => response.once('close', resolve))
  while (!response.destroyed) {
    numBytes += text.length
    if (response.write(text)) await new Promise(resolve => setImmediate(resolve))
    else await Promise.race([closed, new Promise(resolve => response.once('drain', resolve))])
  }
  return numBytes
}

describe('a hostile server', () => {
  test.each([
    ['no JSON', 'data: {"choices":[{\n\n', /no JSON/],
    ['something else than an object', 'data: 5\n\n', /no piece of a chat/],
    ['choices that are no list', 'data: {"choices":{"0":{}}}\n\n', /choices/],
    [
      'a text that is none',
      'data: {"choices":[{"delta":{"content":{"a":1}}}]}\n\n',
      /choices.0.delta.content/,
    ],
    ['token ids below 0', 'data: {"choices":[{"delta":{"content":"a"},"token_ids":[-5]}]}\n\n', /token_ids/],
    [
      'a tool call at place 1e9',
      'data: {"choices":[{"delta":{"tool_calls":[{"index":1000000000}]}}]}\n\n',
      /index/,
    ],
    [
      'an error',
      'data: {"error":{"message":"engine\\u001b[2J dead"}}\n\n',
      /stopped the answer: engine \[2J dead/,
    ],
    ["vLLM's older error", 'data: {"object":"error","message":"engine dead","code":500}\n\n', /engine dead/],
    ['an answer that it gave up', 'data: {"choices":[{"delta":{},"finish_reason":"abort"}]}\n\n', /"abort"/],
  ])('that sends %s is a typed error', async (_, events, message) => {
    const server = await serveChat(response => {
      openStream(response)
      response.end(events)
    })
    const { nvlm } = await openRemote(server)
    await expect(nvlm.generate('x')).rejects.toMatchObject({
      code: 'REMOTE_FAILED',
      message: expect.stringMatching(message),
    })
  })

  test('that sends a page instead of a stream is a typed error', async () => {
    const server = await serveChat(response => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
    })
    const { nvlm } = await openRemote(server)
    await expect(nvlm.generate('x')).rejects.toThrow(/text\/html, expected an event stream/)
  })

  test.each([
    ['a line of a gigabyte', `data: ${'a'.repeat(65_530)}`],
    ['events without end that say nothing', 'data: {"choices":[]}\n\n'.repeat(1000)],
    ['comments without end', ': ping\n\n'.repeat(8000)],
    ['tokens without end', PIECE.repeat(1000)],
  ])('that sends %s is left after some megabytes', async (_, text) => {
    let numBytes: Promise<number> | undefined
    const server = await serveChat(response => {
      openStream(response)
      numBytes = flood(response, text)
    })
    const { nvlm } = await openRemote(server)
    const before = process.memoryUsage().rss
    await expect(nvlm.generate('x', { maxTokens: 10 })).rejects.toMatchObject({ code: 'REMOTE_FAILED' })
    expect(await numBytes).toBeLessThan(20_000_000)
    expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000)
  })

  test('that goes silent is left, before and after the first piece, whatever it sends to keep the line', async () => {
    const server = await serveChat(response => {
      openStream(response)
      if (server.chats.length > 1) response.write(PIECE)
      const timer = setInterval(() => response.write(': ping\n\ndata: {"choices":[{"delta":{}}]}\n\n'), 5)
      response.on('close', () => clearInterval(timer))
    })
    const { nvlm } = await openRemote(server, { timeoutMs: 60, idleTimeoutMs: 50, maxRetries: 0 })
    await expect(nvlm.generate('x')).rejects.toThrow(/no piece of the answer in 60 ms/)
    const begun = nvlm.generate('x')
    await expect(begun).rejects.toThrow(/nothing more of the answer in 50 ms/)
    await Promise.all(server.chats.map(({ left }) => left))
  })

  test('that never answers at all is left', async () => {
    const server = await serveChat(() => {})
    const { nvlm } = await openRemote(server, { timeoutMs: 50, maxRetries: 0 })
    await expect(nvlm.generate('x')).rejects.toThrow(/in 50 ms/)
    await server.chats[0]?.left
  })

  test('that breaks the connection off in an answer is an error, and is asked no second time', async () => {
    const server = await serveChat(response => {
      openStream(response)
      response.write(PIECE, () => setTimeout(() => response.socket?.resetAndDestroy(), 5))
    })
    const { nvlm } = await openRemote(server)
    const pieces: string[] = []
    const read = async () => {
      for await (const text of nvlm.generate('x')) pieces.push(text)
    }
    await expect(read()).rejects.toMatchObject({ code: 'REMOTE_FAILED' })
    expect(pieces.join('')).toBe('a')
    expect(server.chats).toHaveLength(1)
  })

  test('that ends an answer without its end is an error', async () => {
    const server = await serveChat(response => {
      openStream(response)
      response.end(PIECE)
    })
    const { nvlm } = await openRemote(server)
    await expect(nvlm.generate('x')).rejects.toThrow(/ended before the answer did/)
  })

  test('that redirects gets no second request, and the other server gets no key', async () => {
    const other = await serve((_, response) => answerText(response, 'stolen'))
    const server = await serveChat(response => {
      response.writeHead(307, { location: `${other.baseURL}/chat/completions` }).end()
    })
    const { nvlm } = await openRemote(server, { apiKey: 'sk-secret' })
    await expect(nvlm.generate('x')).rejects.toThrow(/redirects to another address/)
    expect(other.calls).toHaveLength(0)
  })

  test('that says the key back finds no way into the error', async () => {
    const server = await serve(({ path, headers }, response) => {
      if (path !== '/v1/chat/completions') return
      response
        .writeHead(400)
        .end(JSON.stringify({ error: { message: `bad ${headers.authorization} `.repeat(99) } }))
    })
    const { nvlm } = await openRemote(server, { apiKey: 'sk-secret-1234' })
    const error = await nvlm.generate('x').catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(NVLMError)
    const { message, hint, details, cause } = error as NVLMError
    expect(message).toContain('bad Bearer ***')
    expect(message.length).toBeLessThan(700)
    expect(JSON.stringify([message, hint, details, String(cause)])).not.toContain('sk-secret')
  })

  test('that refuses with a body without end is a typed error', async () => {
    let numBytes: Promise<number> | undefined
    const server = await serveChat(response => {
      response.writeHead(400)
      numBytes = flood(response, 'x'.repeat(65_536))
    })
    const { nvlm } = await openRemote(server)
    await expect(nvlm.generate('x')).rejects.toMatchObject({
      code: 'REMOTE_FAILED',
      details: { status: 400 },
    })
    expect(await numBytes).toBeLessThan(10_000_000)
  })

  test('that lists models without end is a typed error', async () => {
    let numBytes: Promise<number> | undefined
    const server = await serve(({ path }, response) => {
      if (path !== '/v1/models') return undefined
      numBytes = flood(response, '{"id":"a"},'.repeat(6000))
      return true
    })
    await expect(openRemote(server)).rejects.toMatchObject({ code: 'REMOTE_FAILED' })
    expect(await numBytes).toBeLessThan(20_000_000)
  })

  test('that speaks no HTTP is a typed error', async () => {
    const server = createServer(socket => {
      socket.on('error', () => {})
      socket.end('SSH-2.0-OpenSSH_9.2\r\n')
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    const plain = { baseURL: `http://127.0.0.1:${port}/v1` } as never
    await expect(openRemote(plain, { maxRetries: 1 })).rejects.toMatchObject({ code: 'REMOTE_FAILED' })
  })
})

import { describe, expect, test } from 'vitest'
import { answerText, type FakeChatServer, openStream } from '../support/fake-chat-server.js'
import { FakeClock, openRemote, serve } from './open-remote.js'

const PIECE = 'data: {"choices":[{"delta":{"content":"a "},"token_ids":[1]}]}\n\n'

/** A server that says its name. */
const serveName = (name: string, port?: number) =>
  serve(({ path }, response) => {
    if (path === '/v1/chat/completions') answerText(response, name)
  }, port)

/** A server that refuses the first chats. */
function serveRefusing(numTimes: number, status: number, headers: Record<string, string> = {}) {
  let rest = numTimes
  return serve(({ path }, response) => {
    if (path !== '/v1/chat/completions') return
    if (rest-- > 0) response.writeHead(status, headers).end('{"error":{"message":"busy"}}')
    else answerText(response, 'at last')
  })
}

const portOf = ({ baseURL }: FakeChatServer) => Number(new URL(baseURL).port)

describe('replicas', () => {
  test('take requests in turn when nobody is busier', async () => {
    const servers = [await serveName('a'), await serveName('b'), await serveName('c')]
    const { nvlm } = await openRemote(servers)
    for (let i = 0; i < 6; i++) await nvlm.generate('x')
    expect(servers.map(({ chats }) => chats.length)).toEqual([2, 2, 2])
  })

  test('get a request where the fewest run', async () => {
    const held: (() => void)[] = []
    const slow = await serve(({ path }, response) => {
      if (path === '/v1/chat/completions') held.push(() => answerText(response, 'slow'))
    })
    const quick = await serveName('quick')
    const { nvlm } = await openRemote([slow, quick])
    const first = [nvlm.generate('x'), nvlm.generate('x')]
    await Promise.race(first)
    for (let i = 0; i < 4; i++) expect((await nvlm.generate('x')).text).toBe('quick')
    expect(slow.chats).toHaveLength(1)
    for (const answer of held) answer()
    await Promise.all(first)
  })

  test('stand in for one that is down, which is asked again when it is healthy', async () => {
    const good = await serveName('good')
    const gone = await serveName('gone')
    const port = portOf(gone)
    const { nvlm, clock } = await openRemote([good, gone])
    await gone[Symbol.asyncDispose]()
    for (let i = 0; i < 4; i++) expect((await nvlm.generate('x')).text).toBe('good')
    expect(clock.pauses).toEqual([])

    const back = await serveName('back', port)
    expect((await nvlm.generate('x')).text).toBe('good')
    clock.time += 11_000
    const answers = new Set<string>()
    for (let i = 0; i < 20 && answers.size < 2; i++) answers.add((await nvlm.generate('x')).text)
    expect(answers).toEqual(new Set(['good', 'back']))
    expect(back.calls.some(({ path }) => path === '/health')).toBe(true)
  })

  test('are told of a server that hangs before a request finds out', async () => {
    const good = await serveName('good')
    let isBroken = false
    const broken = await serve(({ path }, response) => {
      if (path === '/health' && isBroken) return response.writeHead(503).end()
      if (path === '/v1/chat/completions') answerText(response, 'broken')
      return undefined
    })
    const { nvlm, clock } = await openRemote([good, broken])
    isBroken = true
    clock.time += 11_000
    const askTwice = async () => {
      const before = broken.chats.length
      for (let i = 0; i < 2; i++) await nvlm.generate('x')
      return broken.chats.length - before
    }
    await expect.poll(askTwice).toBe(0)
    expect(broken.calls.filter(({ path }) => path === '/health')).toHaveLength(1)
  })

  test('get a request that another one has failed, only as long as nothing was streamed', async () => {
    const cutting = await serve(({ path }, response) => {
      if (path !== '/v1/chat/completions') return
      openStream(response)
      const isEarly = cutting.chats.length === 1
      response.write(isEarly ? 'data: {"choices":[{"delta":{"role":"assistant","content":""}}]}\n\n' : PIECE)
      setTimeout(() => response.socket?.resetAndDestroy(), 5)
    })
    const other = await serveName('other')
    const { nvlm } = await openRemote([other, cutting])
    // the list of models went to the first one, so that the second is next
    expect((await nvlm.generate('x')).text).toBe('other')
    expect(cutting.chats).toHaveLength(1)
    const { nvlm: second } = await openRemote([other, cutting])
    await expect(second.generate('x')).rejects.toMatchObject({ code: 'REMOTE_FAILED' })
    expect(other.chats).toHaveLength(1)
  })

  test('that are all down give up with what the last one said', async () => {
    const servers = [await serveName('a'), await serveName('b')]
    const { nvlm, clock } = await openRemote(servers, { maxRetries: 4 })
    for (const server of servers) await server[Symbol.asyncDispose]()
    await expect(nvlm.generate('x')).rejects.toMatchObject({
      code: 'REMOTE_FAILED',
      message: expect.stringMatching(/ECONNREFUSED.*given up after 5 tries/),
    })
    expect(clock.pauses.length).toBeGreaterThanOrEqual(2)
  })
})

describe('a server that is busy', () => {
  test('is asked again after longer and longer pauses', async () => {
    const { nvlm, clock } = await openRemote(await serveRefusing(3, 503))
    expect((await nvlm.generate('x')).text).toBe('at last')
    expect(clock.pauses).toEqual([500, 1000, 2000])
  })

  test('is left alone for as long as it asks', async () => {
    const { nvlm, clock } = await openRemote(await serveRefusing(1, 429, { 'retry-after': '7' }))
    expect((await nvlm.generate('x')).text).toBe('at last')
    expect(clock.pauses).toEqual([7000])
  })

  test('is not waited for when it asks for too long, or refuses too often', async () => {
    const long = await openRemote(await serveRefusing(1, 429, { 'retry-after': '3600' }))
    await expect(long.nvlm.generate('x')).rejects.toMatchObject({
      code: 'REMOTE_FAILED',
      details: { status: 429 },
    })
    expect(long.clock.pauses).toEqual([])
    const often = await openRemote(await serveRefusing(9, 500), { maxRetries: 2 })
    await expect(often.nvlm.generate('x')).rejects.toThrow(/busy; given up after 3 tries/)
  })

  test('sends its requests to a replica meanwhile', async () => {
    const busy = await serveRefusing(1, 429, { 'retry-after': '30' })
    const other = await serveName('other')
    const { nvlm, clock } = await openRemote([other, busy])
    for (let i = 0; i < 4; i++) expect((await nvlm.generate('x')).text).toBe('other')
    expect(busy.chats).toHaveLength(1)
    expect(clock.pauses).toEqual([])
  })

  test('is not asked again when the caller has gone', async () => {
    const server = await serveRefusing(9, 503)
    const stopping = new AbortController()
    class StoppingClock extends FakeClock {
      override sleep = async (ms: number, signal?: AbortSignal) => {
        stopping.abort('enough')
        signal?.throwIfAborted()
        this.pauses.push(ms)
      }
    }
    const { nvlm } = await openRemote(server, {}, { clock: new StoppingClock() })
    await expect(nvlm.generate('x', { signal: stopping.signal })).rejects.toBe('enough')
    expect(server.chats).toHaveLength(1)
  })
})

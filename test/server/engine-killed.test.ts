import { describe, expect, test } from 'vitest'
import { NVLM } from '../../src/nvlm/nvlm.js'
import { serveModel } from '../../src/server/node/serve-model.js'
import { startMortalEngine } from './mortal-engine.js'

/** A server whose engine dies in each life after so many steps. */
async function serve(numSteps: number) {
  const { engine, kill } = await startMortalEngine(numSteps)
  const nvlm = new NVLM(engine)
  const front = await serveModel(nvlm, { port: 0 })
  const close = async () => {
    await front.close()
    await nvlm.dispose()
  }
  return { url: front.url, kill, [Symbol.asyncDispose]: close }
}

// a prompt of three chunks, of which nothing is in the answer
const question = '0123456789012345678'
const REQUESTS = [false, true].flatMap(stream => [
  { path: '/v1/chat/completions', body: { messages: [{ role: 'user', content: question }], stream } },
  { path: '/v1/responses', body: { input: question, stream } },
])

interface Ending {
  readonly status: number
  /** Events before the last one. */
  readonly numEvents: number
  readonly code: string | undefined
}

/** Ask, and look how the answer ends. Throws for an answer that is neither JSON nor ends with an event. */
async function endingOf(url: string, { path, body }: (typeof REQUESTS)[number]): Promise<Ending> {
  const headers = { 'content-type': 'application/json' }
  const text = JSON.stringify({ model: 'fake-model', ...body })
  const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: text })
  const { status } = response
  const answer = await response.text()
  if (response.headers.get('content-type') === 'application/json') {
    return { status, numEvents: 0, code: JSON.parse(answer).error?.code }
  }
  const events = answer.trim().split('\n\n')
  const data = events.at(-1)!.split('data: ')[1]!
  return {
    status,
    numEvents: events.length - 1,
    code: data === '[DONE]' ? undefined : JSON.parse(data).error?.code,
  }
}

describe('an engine that is killed', () => {
  test.each([
    ['before the first part of the prompt', 0, { head: 503, chat: 0, responses: 0 }],
    ['before the second part of the prompt, behind the head', 1, { head: 200, chat: 1, responses: 2 }],
    ['behind the first token', 3, { head: 200, chat: 2, responses: 5 }],
    ['behind the second token', 4, { head: 200, chat: 3, responses: 6 }],
    ['behind the last word, before the end', 5, { head: 200, chat: 4, responses: 7 }],
  ])('%s ends every answer with an error', async (_, numSteps, { head, chat, responses }) => {
    await using server = await serve(numSteps)
    const endings: Ending[] = []
    for (const request of REQUESTS) endings.push(await endingOf(server.url, request))
    const code = 'engine_failed'
    // the head of a whole answer comes with its end
    const whole = { status: 503, numEvents: 0, code }
    expect(endings.slice(0, 2)).toEqual([whole, whole])
    expect(endings.slice(2).map(ending => ({ ...ending, numEvents: 0 }))).toEqual(
      endings.slice(2).map(() => ({ status: head, numEvents: 0, code })),
    )
    // events that came at once may be one
    expect(endings[2]!.numEvents).toBeLessThanOrEqual(chat)
    expect(endings[3]!.numEvents).toBeLessThanOrEqual(responses)
    expect(await (await fetch(`${server.url}/health`)).json()).toMatchObject({ running: 0, waiting: 0 })
  })

  test('while a request is on its way ends it with the answer or an error', async () => {
    await using server = await serve(Number.POSITIVE_INFINITY)
    for (const request of REQUESTS) {
      server.kill()
      const { status, code } = await endingOf(server.url, request)
      expect([
        [200, undefined],
        [200, 'engine_failed'],
        [503, 'engine_failed'],
      ]).toContainEqual([status, code])
      expect(await endingOf(server.url, request)).toMatchObject({ status: 200, code: undefined })
    }
  })
})

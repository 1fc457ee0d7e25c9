import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterEach, describe, expect, test } from 'vitest'
import { projectFolder, runNode } from '../support/run-node.js'
import { SHAPES, SIGN_ANSWER, SIGN_MESSAGES } from './served-tiny.js'

/** The built command, which `npm test` builds before. */
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

async function serve(...flags: readonly string[]) {
  const startedAt = performance.now()
  const child = spawn(process.execPath, ['dist/cli.js', 'serve', '--port', '0', ...flags], {
    cwd: projectFolder,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  children.push(child)
  const [data] = await once(child.stdout!, 'data')
  return { child, url: String(data).trim(), loadMs: performance.now() - startedAt }
}

function enginePid(parent: number): number {
  const rows = execFileSync('ps', ['-o', 'pid=', '--ppid', String(parent)], { encoding: 'utf8' })
  return Number(rows.trim().split(/\s+/)[0])
}

function ask(url: string, fields: object = {}): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'nvlm-tiny', messages: SIGN_MESSAGES, ...fields }),
  })
}

/** The words of an answer, or the code of an error. */
async function outcome(response: Response): Promise<string> {
  const body = (await response.json()) as {
    choices?: { message: { content: string } }[]
    error?: { code: string }
  }
  return body.choices?.[0]?.message.content ?? `${response.status} ${body.error?.code}`
}

interface Usage {
  readonly prompt_tokens_details: { readonly cached_tokens: number }
}

describe('nvlm serve', () => {
  test('outlives its engine: who waits gets the right answer or a 503, and the next one comes soon', async () => {
    const { child, url, loadMs } = await serve('--concurrency', '2')
    expect(await outcome(await ask(url))).toBe(SIGN_ANSWER)
    const noPicture = [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }]
    const answers = [
      ...Array.from({ length: 8 }, () => ask(url)),
      ask(url, { messages: [{ role: 'user', content: noPicture }] }),
    ]
    process.kill(enginePid(child.pid!), 'SIGKILL')
    const killedAt = performance.now()
    const outcomes = await Promise.all(answers.map(async answer => outcome(await answer)))
    for (const [index, words] of outcomes.entries()) {
      expect([index === 8 ? '400 invalid_image' : SIGN_ANSWER, '503 engine_failed']).toContain(words)
    }
    expect(await outcome(await ask(url))).toBe(SIGN_ANSWER)
    // the whole start of the command, which is longer than the engine's part of it
    expect(performance.now() - killedAt).toBeLessThan(loadMs + 1000)
  })

  test('reads every prompt from its beginning with --prefix-cache 0', async () => {
    const { url } = await serve('--prefix-cache', '0')
    const numCached = async () => {
      const { usage } = (await (await ask(url)).json()) as { usage: Usage }
      return usage.prompt_tokens_details.cached_tokens
    }
    expect([await numCached(), await numCached()]).toEqual([0, 0])
  })

  test('answers eight at once as each of them alone, in float32', async () => {
    const { url } = await serve('--concurrency', '8')
    const shapes = [
      { type: 'image_url', image_url: { url: SHAPES } },
      { type: 'text', text: 'What shapes are there?' },
    ]
    const talks = [
      SIGN_MESSAGES,
      [{ role: 'user', content: shapes }],
      [{ role: 'user', content: 'How are you?' }],
    ]
    const asks = Array.from({ length: 8 }, (_, index) => ({
      messages: talks[index % 3],
      max_tokens: 6 + 3 * index,
      min_tokens: index % 2 === 0 ? 6 + 3 * index : 1,
    }))
    const alone: string[] = []
    for (const fields of asks) alone.push(await outcome(await ask(url, fields)))
    expect(new Set(alone).size).toBeGreaterThan(4)
    const together = await Promise.all(asks.map(async fields => outcome(await ask(url, fields))))
    expect(together).toEqual(alone)
  })

  test('answers /health while its engine stands still, and kills it', async () => {
    const { child, url } = await serve('--stall-timeout', '1')
    expect(await outcome(await ask(url))).toBe(SIGN_ANSWER)
    process.kill(enginePid(child.pid!), 'SIGSTOP')
    const stuck = ask(url)
    const times: number[] = []
    for (let round = 0; round < 20; round++) {
      const startedAt = performance.now()
      expect((await fetch(`${url}/health`)).status).toBe(200)
      times.push(performance.now() - startedAt)
    }
    expect(times.sort((a, b) => a - b)[10]).toBeLessThan(50)
    expect(await outcome(await stuck)).toBe('503 engine_failed')
    expect(await outcome(await ask(url))).toBe(SIGN_ANSWER)
  })

  test('ends with code 0 on SIGTERM, after what runs, and its engine with it', async () => {
    const { child, url } = await serve()
    const running = ask(url)
    const engine = enginePid(child.pid!)
    const health = async () => (await fetch(`${url}/health`)).json()
    await expect.poll(health).toMatchObject({ running: 1 })
    child.kill('SIGTERM')
    expect(await outcome(await running)).toBe(SIGN_ANSWER)
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(() => process.kill(engine, 0)).toThrow()
  })

  test('does not listen for other machines without a key', async () => {
    const { code, err } = await runNode(['dist/cli.js', 'serve', '--host', '0.0.0.0', '--port', '0'])
    expect(code).toBe(2)
    expect(err).toContain('there is no API key')
  })
})

import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { cpSync, mkdtempSync, openAsBlob, readFileSync, rmSync } from 'node:fs'
import { MessageChannel } from 'node:worker_threads'
import { OpenAI } from 'openai'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { NVLM } from '../src/node.js'
import { projectFolder } from './support/run-node.js'

const SIGN = `${projectFolder}/examples/pictures/sign.png`

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** A question with a picture, as a browser's form sends it. */
async function form(question: string | undefined, image?: Blob | string): Promise<FormData> {
  const data = new FormData()
  if (question !== undefined) data.set('question', question)
  if (typeof image === 'string') data.set('image', image)
  else data.set('image', image ?? (await openAsBlob(SIGN)), 'sign.png')
  return data
}

/** Start an example, and wait for its address. */
async function start(file: string): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const child = spawn(process.execPath, [`examples/servers/${file}`], {
    cwd: projectFolder,
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const [line] = await once(child.stdout!.setEncoding('utf8'), 'data')
  return { url: `${/http:\S+/.exec(String(line))![0]}/ask`, child }
}

const post = (url: string, body: FormData | string, signal?: AbortSignal) =>
  fetch(url, { method: 'POST', body, ...(signal && { signal }) })

describe.each(['express.mjs', 'hono.mjs'])('the server with %s', file => {
  test('answers, refuses, survives a client that leaves, and ends', async () => {
    const { url, child } = await start(file)
    const answer = await post(url, await form('What does the sign say?'))
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    expect(await answer.text()).toBe('COFFEE $3.50')

    const refused = [
      ['no picture', await form('Hi', new Blob(['hello'])), 400],
      ['a path', await form('Hi', '/etc/passwd'), 400],
      ['no question', await form(undefined), 400],
      ['no form', 'hello', 400],
      ['too much', await form('Hi', new Blob([new Uint8Array(21_000_000)])), 413],
    ] as const
    for (const [what, body, status] of refused) {
      const response = await post(url, body)
      expect([what, response.status]).toEqual([what, status])
      expect(await response.text()).not.toContain(projectFolder)
    }

    const client = new OpenAI({ baseURL: new URL('/v1', url).href, apiKey: 'none' })
    const image = `data:image/png;base64,${readFileSync(SIGN, 'base64')}`
    const completion = await client.chat.completions.create({
      model: 'nvlm-tiny',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image_url', image_url: { url: image } },
            { type: 'text', text: 'What does the sign say?' },
          ],
        },
      ],
    })
    expect(completion.choices[0]!.message.content).toBe('COFFEE $3.50')

    const leaving = new AbortController()
    const left = post(url, await form('Describe the picture.'), leaving.signal)
    leaving.abort()
    await expect(left).rejects.toThrow()
    expect(await (await post(url, await form('What does the sign say?'))).text()).toBe('COFFEE $3.50')
    child.kill('SIGTERM')
    expect((await once(child, 'exit'))[0]).toBe(0)
  })
})

describe("Next's route", () => {
  let folder: string
  // inside the package, where it can import itself by name
  beforeAll(() => {
    folder = mkdtempSync(`${projectFolder}/dist/next-`)
    for (const name of ['app/api', 'lib'])
      cpSync(`${projectFolder}/examples/next/${name}`, `${folder}/${name}`, { recursive: true })
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  test('answers a form, and refuses a path', async () => {
    const { POST } = await import(/* @vite-ignore */ `${folder}/app/api/ask/route.js`)
    const ask = async (body: FormData) =>
      POST(new Request('http://localhost/api/ask', { method: 'POST', body }))
    const answer = await ask(await form('What does the sign say?'))
    expect(await answer.text()).toBe('COFFEE $3.50')
    expect((await ask(await form('Hi', '/etc/passwd'))).status).toBe(400)

    const openai = await import(/* @vite-ignore */ `${folder}/app/api/v1/[...path]/route.js`)
    const models = await openai.GET(new Request('http://localhost/api/v1/models'))
    expect((await models.json()).data).toMatchObject([{ id: 'nvlm-tiny' }])
    const { nvlm } = globalThis as { nvlm?: Promise<NVLM> }
    await (await nvlm)!.dispose()
  })
})

describe("Electron's engine", () => {
  test('answers through a message channel, stops, and says what goes wrong', async () => {
    const { answerPort } = await import('../examples/electron/answer-port.mjs')
    const built: typeof import('../src/node.js') = await import(
      /* @vite-ignore */ `${projectFolder}/dist/node.js`
    )
    const nvlm = await built.NVLM.load()
    const { port1, port2 } = new MessageChannel()
    try {
      const take = answerPort(nvlm, port1)
      port1.on('message', take)
      const replies = new EventEmitter()
      port2.on('message', reply => replies.emit(reply.type, reply))
      let text = ''
      replies.on('text', reply => {
        text += reply.text
      })
      const image = new Uint8Array(await (await openAsBlob(SIGN)).arrayBuffer())
      port2.postMessage({ type: 'ask', id: 1, question: 'What does the sign say?', image })
      expect(await once(replies, 'end')).toEqual([{ id: 1, type: 'end' }])
      expect(text).toBe('COFFEE $3.50')

      port2.postMessage({ type: 'ask', id: 2, question: 'Hi', image: new Uint8Array(9) })
      const [failure] = await once(replies, 'error')
      expect(failure).toMatchObject({ id: 2, message: expect.stringContaining('picture') })

      port2.postMessage({ type: 'ask', id: 3, question: 'Describe the picture.', image })
      port2.postMessage({ type: 'stop', id: 3 })
      expect(await once(replies, 'end')).toEqual([{ id: 3, type: 'end' }])
    } finally {
      port1.close()
      await nvlm.dispose()
    }
  })
})

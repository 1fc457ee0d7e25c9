import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { afterAll, describe, expect, test } from 'vitest'
import { runCli } from '../../src/cli/main.js'
import { NVLMError } from '../../src/core/errors.js'
import { FakeApi, FakeOutput, fakeContext } from './fake-api.js'

const folder = mkdtempSync(join(tmpdir(), 'nvlm-chat-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Run `nvlm chat` on lines from a pipe. */
async function pipe(lines: readonly string[], { api = new FakeApi(), argv = [] as readonly string[] } = {}) {
  const context = fakeContext({ api, stdin: Readable.from([lines.join('\n')]) })
  const code = await runCli(['chat', ...argv], context)
  return { code, out: context.out.text, err: context.err.text, api }
}

describe('nvlm chat without a terminal', () => {
  test('answers every line, and writes nothing else to stdout', async () => {
    const { code, out, err, api } = await pipe(['What is it?', '', 'And now?', '/help', '/stats'])
    expect(code).toBe(0)
    expect(out).toBe('Open daily\nOpen daily\n')
    expect(api.questions.map(({ prompt }) => prompt)).toEqual(['What is it?', 'And now?'])
    expect(err).toMatch(/^\/image .*\n(\/.*\n)+/)
    expect(err).toMatch(/^answers +2\n/m)
    expect(out + err).not.toContain('\u001b')
    expect(api.numDisposed).toBe(1)
  })

  test('hands its arguments to the library', async () => {
    const argv = 'm --dtype q4 --revision v1 --system Hi --max-tokens 5 --temperature 0.7 --seed 3'.split(' ')
    const { api } = await pipe(['Why?'], { argv })
    expect(api.loads).toEqual([{ model: 'm', dtype: 'q4', revision: 'v1' }])
    expect(api.chats[0]).toEqual({ system: 'Hi', maxTokens: 5, temperature: 0.7, seed: 3 })
    expect(api.questions).toMatchObject([
      { prompt: 'Why?', images: [], maxTokens: 5, temperature: 0.7, seed: 3 },
    ])
  })

  test('sends the pictures of a question, of /image and of a line of their own, once', async () => {
    const { api, err } = await pipe([
      '/image b.png "c d.png"',
      "'/e f.png'",
      '/image',
      'What is /a.png here?',
      'And now?',
      '/image',
    ])
    const asked = api.questions.map(({ prompt, images }) => ({ prompt, images }))
    expect(asked).toEqual([
      { prompt: 'What is here?', images: ['b.png', 'c d.png', '/e f.png', '/a.png'] },
      { prompt: 'And now?', images: [] },
    ])
    expect(err).toContain('b.png, 4 x 2\n')
    expect(err).toContain('b.png\nc d.png\n/e f.png\n')
    expect(err).toContain('no picture waits')
  })

  test('keeps pictures of a turn that made no text for the next one', async () => {
    const { api } = await pipe(['/image a.png', 'One?', 'Two?'], { api: new FakeApi([]) })
    expect(api.questions.map(({ images }) => images)).toEqual([['a.png'], ['a.png']])
  })

  test('changes settings and says what they are', async () => {
    const lines = ['/set temperature=0.7 topK=5', 'One?', '/set temperature=default seed=3', 'Two?', '/set']
    const { api, err } = await pipe(lines)
    expect(api.questions).toMatchObject([
      { temperature: 0.7, topK: 5 },
      { temperature: undefined, topK: 5, seed: 3 },
    ])
    expect(err).toMatch(/temperature +default\ntop-k +5\n(.*\n)*seed +3\n$/)
  })

  test('changes the system prompt and keeps the turns, forgets them, takes them back', async () => {
    const lines = ['One?', '/system Be brief.', 'Two?', '/undo', '/clear', '/system', '/system default']
    const { api, err } = await pipe(lines)
    const [, changed, cleared, reset] = api.chats
    expect(changed!.messages).toEqual([
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'One?' },
      { role: 'assistant', content: 'Open daily' },
    ])
    expect(cleared).toMatchObject({ system: 'Be brief.' })
    expect(reset).toEqual({ messages: [] })
    expect(err).toBe(
      "Be brief.\n2 messages are left\na new conversation\nBe brief.\nthe model's own system prompt\n",
    )
  })

  test('saves to a file of its own, again to the same, and loads it', async () => {
    const file = join(folder, 'my talk.chat')
    const first = await pipe(['One?', `/save "${file}"`, 'Two?', '/save'])
    expect(first.code).toBe(0)
    expect(readdirSync(folder)).toEqual(['my talk.chat'])
    const second = await pipe([`/load "${file}"`, '/rewind 2', 'Three?'])
    expect(second.err).toBe(`4 messages from ${file}\n0 messages are left\n`)
    expect(second.api.chats.at(-1)).toHaveProperty('restore')
  })

  test('never writes over another file', async () => {
    const file = join(folder, 'precious.txt')
    writeFileSync(file, 'precious')
    const { code, err } = await pipe(['One?', `/save ${file}`])
    expect(code).toBe(1)
    expect(err).toContain('precious.txt: exists already')
    rmSync(file)
  })

  test('/exit leaves', async () => {
    const { code, api } = await pipe(['One?', '/exit', 'Two?'])
    expect(code).toBe(0)
    expect(api.questions.length).toBe(1)
    expect(api.numDisposed).toBe(1)
  })

  test.each([
    ['/sing', 2, 'there is no command /sing'],
    ['/undo', 2, "can't take back 1 of 0 questions"],
    ['/set loud=1', 2, 'there is no setting "loud"'],
    ['/set temperature', 2, 'temperature takes a number, got ""'],
    ['/set seed=many', 2, 'seed takes a number, got "many"'],
    ['/clear all', 2, '/clear takes nothing, got "all"'],
    ['/save', 2, 'the name of a file is missing'],
    ['/load', 2, 'the name of a file is missing'],
    ['/load a b', 2, 'one file expected, got 2'],
    ['/load /nowhere', 1, 'ENOENT'],
    ['/image missing.png', 1, 'missing.png: does not exist'],
    ['What is /missing.png?', 1, '/missing.png: does not exist'],
  ])('ends at the first error: %s', async (line, code, message) => {
    const finished = await pipe([line, 'More?'])
    expect(finished.code).toBe(code)
    expect(finished.err).toContain(message)
    expect(finished.api.questions).toEqual([])
  })

  test('stops with exit code 130 when the signal aborts, also while it waits for a line', async () => {
    const controller = new AbortController()
    const stdin = new PassThrough()
    const context = fakeContext({ stdin, signal: controller.signal })
    const running = runCli(['chat'], context)
    stdin.write('One?\n')
    await new Promise(resolve => setTimeout(resolve, 20))
    controller.abort()
    expect(await running).toBe(130)
    expect(context.out.text).toBe('Open daily\n')
  })
})

/** A person at a terminal who types lines, each when the one before is answered. */
async function talk(
  lines: readonly string[],
  {
    api = new FakeApi(),
    argv = [] as readonly string[],
    onStart = (_type: (keys: string) => void) => {},
  } = {},
) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} })
  onStart(keys => stdin.write(keys))
  const [out, err] = [new FakeOutput(true), new FakeOutput(true)]
  const waiting = [...lines]
  out.write = text => {
    out.text += text
    // readline writes the prompt last
    if (text.endsWith('> ')) setImmediate(() => stdin.write(waiting.shift() ?? '\u0004'))
  }
  const code = await runCli(['chat', ...argv], fakeContext({ api, stdin, out, err }))
  return { code, out: out.text, err: err.text, api }
}

describe('nvlm chat in a terminal', () => {
  test('answers, says tokens and speed, and leaves at Ctrl-D with the terminal as it was', async () => {
    const { code, out, api } = await talk(['What is it?\r'])
    expect(code).toBe(0)
    expect(out).toContain('Open daily\n2 tokens, 20.0 a second · first after 1.53 s · prompt 30\n')
    expect(out.indexOf('\u001b[?2004h')).toBeLessThan(out.indexOf('\u001b[?2004l'))
    expect(api.questions).toMatchObject([{ prompt: 'What is it?' }])
  })

  test('goes on after an error', async () => {
    const { code, err, api } = await talk(['/sing\r', 'What is /missing.png?\r', 'Hello?\r'])
    expect(code).toBe(0)
    expect(err).toContain('error: there is no command /sing\nhint: /help lists them.\n')
    expect(err).toContain('error: /missing.png: does not exist\n')
    expect(api.questions.map(({ prompt }) => prompt)).toEqual(['Hello?'])
  })

  test('ends when the engine does', async () => {
    const api = new FakeApi(['x'], {}, () => {
      throw new NVLMError('ENGINE_FAILED', 'the engine has ended')
    })
    const { code, err } = await talk(['What is it?\r', 'And now?\r'], { api })
    expect(code).toBe(1)
    expect(err).toContain('the engine has ended')
    expect(api.questions.length).toBe(1)
  })

  test('sends what was pasted in several lines as one question', async () => {
    const { api } = await talk(['\u001b[200~one\ntwo\u001b[201~ three\r'])
    expect(api.questions.map(({ prompt }) => prompt)).toEqual(['one\ntwo three'])
  })

  test('lets no answer and no file name drive the terminal', async () => {
    const api = new FakeApi(['a\u001b]0;title\u0007b\u001b[2Jc\u009b31md\re'])
    const { out } = await talk(['/image "x\u001b]0;y\u0007.png"\r', 'What is it?\r'], { api })
    expect(out).toContain('a]0;titleb[2Jc31mde\n')
    expect(out).not.toContain('\u001b]')
    expect(out).not.toContain('\u0007')
    expect(out).not.toContain('\u009b')
  })

  test('Ctrl-C stops a picture that is slow to come, and the talk goes on', async () => {
    let press = (_keys: string): void => {}
    class SlowApi extends FakeApi {
      override openPicture(_: string, signal: AbortSignal): Promise<never> {
        setImmediate(() => press('\u0003'))
        return new Promise((__, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      }
    }
    const { code, out, api } = await talk(['/image https://example.org/a.png\r', 'Hi\r'], {
      api: new SlowApi(),
      onStart: type => {
        press = type
      },
    })
    expect(code).toBe(0)
    expect(out).toContain('stopped\n')
    expect(api.questions.map(({ prompt }) => prompt)).toEqual(['Hi'])
  })

  test('Ctrl-C clears a line, then warns, then leaves with 130', async () => {
    const { code, out, api } = await talk(['abc\u0003Hi\r', '\u0003', '\u0003'])
    expect(code).toBe(130)
    expect(api.questions.map(({ prompt }) => prompt)).toEqual(['Hi'])
    expect(out).toContain('Ctrl-C again leaves')
  })
})

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, describe, expect, test } from 'vitest'
import { runCli } from '../../src/cli/main.js'
import { FakeApi, FakeOutput, fakeContext, fakeResult } from './fake-api.js'

const folder = mkdtempSync(join(tmpdir(), 'nvlm-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('nvlm ask', () => {
  test('streams the answer to stdout and says the timings on stderr', async () => {
    const context = fakeContext()
    expect(await runCli(['ask', 'a.png', 'b.png', 'What is it?'], context)).toBe(0)
    expect(context.out.text).toBe('Open daily\n')
    expect(context.err.text).toContain(
      '30 in (9 of the pictures), 2 out tokens · first after 1.53 s · then 20.0 a second · on cpu',
    )
  })

  test('hands its arguments to the library', async () => {
    const api = new FakeApi()
    const argv = 'ask a.png Why? --model m --dtype fp32 --max-tokens 5 --temperature 0.7 --seed 3'.split(' ')
    await runCli(argv, fakeContext({ api }))
    expect(api.loads).toEqual([{ model: 'm', dtype: 'fp32' }])
    expect(api.questions).toMatchObject([
      { prompt: 'Why?', images: ['a.png'], maxTokens: 5, temperature: 0.7, seed: 3 },
    ])
    expect(api.numDisposed).toBe(1)
  })

  test('takes the default model, no picture and the defaults of the library when nothing is said', async () => {
    const api = new FakeApi()
    await runCli(['ask', 'Why?'], fakeContext({ api }))
    expect(api.loads).toEqual([{ model: undefined, dtype: undefined }])
    expect(api.questions).toMatchObject([
      { prompt: 'Why?', images: [], maxTokens: undefined, temperature: undefined, seed: undefined },
    ])
  })

  test('prints the result and nothing else as JSON', async () => {
    const context = fakeContext()
    expect(await runCli(['ask', 'Why?', '--json'], context)).toBe(0)
    const { usage, timings, device, tokenIds } = fakeResult
    expect(JSON.parse(context.out.text)).toEqual({ text: 'Open daily', tokenIds, usage, timings, device })
  })

  test('shows warnings on stderr', async () => {
    const context = fakeContext({ api: new FakeApi(['x'], { warnings: ['no GPU, using the CPU'] }) })
    await runCli(['ask', 'Why?'], context)
    expect(context.err.text).toContain('warning: no GPU, using the CPU\n')
  })

  test.each([[[]], [['--json']]])(
    'shows progress on a terminal and takes it away before the answer %j',
    async flags => {
      const err = new FakeOutput(true)
      await runCli(['ask', 'Why?', ...flags], fakeContext({ err }))
      const [half, whole, cleared] = err.text.split('\r\u001b[K').slice(-3)
      expect([half, whole]).toEqual([
        expect.stringContaining(' 50% reading the prompt'),
        expect.stringContaining('100% reading the prompt'),
      ])
      expect(cleared).not.toContain('reading')
    },
  )

  test('shows no progress of an answer where there is no terminal', async () => {
    const context = fakeContext()
    await runCli(['ask', 'Why?'], context)
    expect(context.err.text).not.toContain('reading the prompt')
  })

  test('keeps control characters of the answer from a terminal, not from a pipe', async () => {
    const api = new FakeApi(['red\u001b[31m\n\tend'])
    const [terminal, pipe] = [new FakeOutput(true), new FakeOutput(false)]
    await runCli(['ask', 'Why?'], fakeContext({ api, out: terminal }))
    await runCli(['ask', 'Why?'], fakeContext({ api, out: pipe }))
    expect(terminal.text).toBe('red[31m\n\tend\n')
    expect(pipe.text).toBe('red\u001b[31m\n\tend\n')
  })
})

describe('nvlm demo', () => {
  test('streams the answer, then prints tokens, timings and device', async () => {
    const context = fakeContext()
    expect(await runCli(['demo'], context)).toBe(0)
    const { text } = context.out
    expect(text).toMatch(/question +What does the sign say\?/)
    expect(text).toMatch(/answer\nOpen daily\ntokens +30 in \(9 of the pictures\), 2 out\n/)
    expect(text).toMatch(/first token +after 1\.53 s/)
    expect(text).toMatch(/device +cpu\n$/)
  })
})

describe('nvlm prepare', () => {
  test('prepares and prints the folder', async () => {
    const api = new FakeApi()
    const context = fakeContext({ api })
    expect(await runCli(['prepare', 'ckpt', '--out', 'ready'], context)).toBe(0)
    expect(api.jobs).toEqual([{ checkpoint: 'ckpt', out: 'ready' }])
    expect(context.out.text).toBe('ready\n')
    expect(context.err.text).toBe('')
  })
})

describe('nvlm inspect', () => {
  test('prints a row a fact', async () => {
    const context = fakeContext()
    expect(await runCli(['inspect', 'm'], context)).toBe(0)
    expect(context.out.text).toBe(
      'id         m\nfamily     nvlm-d\ntile.size  448\ntile.max   6\ndevices    cpu, webgpu\nbytes      3.6 MB\n',
    )
  })

  test('prints all of it as JSON', async () => {
    const context = fakeContext()
    await runCli(['inspect', 'm', '--json'], context)
    expect(JSON.parse(context.out.text)).toEqual(await new FakeApi().inspect('m'))
  })
})

describe('nvlm tiles', () => {
  test('writes a picture of the tiles and says how it was cut', async () => {
    const api = new FakeApi()
    const context = fakeContext({ api })
    const out = join(folder, 'tiles.png')
    const argv = ['tiles', 'a.jpg', '--out', out, '--max-tiles', '2', '--tile-size', '64', '--no-exif']
    expect(await runCli(argv, context)).toBe(0)
    expect(api.jobs).toEqual([
      { image: 'a.jpg', tileSize: 64, maxTiles: 2, applyExif: false, signal: undefined },
    ])
    expect(context.out.text).toMatch(/grid +2 x 1 and a thumbnail\n/)
    expect(context.out.text).toMatch(/tiles +3 of 64 x 64 pixels\n/)
    expect(context.out.text).toMatch(/tags +<tile_1> <tile_2> <tile_global_thumbnail>\n/)
    const picture = await sharp(readFileSync(out)).raw().toBuffer({ resolveWithObject: true })
    expect(picture.info).toMatchObject({ width: 3 * 64 + 8, height: 64, channels: 3 })
  })

  test('turns the picture by its EXIF orientation unless told not to', async () => {
    const api = new FakeApi()
    await runCli(['tiles', 'a.jpg', '--out', join(folder, 'b.png')], fakeContext({ api }))
    expect(api.jobs).toMatchObject([{ applyExif: true }])
  })

  test('says which file it could not write', async () => {
    const context = fakeContext()
    const out = join(folder, 'missing', 'tiles.png')
    expect(await runCli(['tiles', 'a.jpg', '--out', out], context)).toBe(1)
    expect(context.err.text).toContain(out)
    expect(context.err.text).not.toContain('bug')
  })
})

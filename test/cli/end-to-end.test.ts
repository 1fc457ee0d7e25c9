import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { afterAll, describe, expect, test } from 'vitest'
import { type Finished, projectFolder, type RunOptions, runNode } from '../support/run-node.js'

const folder = mkdtempSync(join(tmpdir(), 'nvlm-end-to-end-'))
afterAll(() => rmSync(folder, { recursive: true }))

const SIGN = 'examples/pictures/sign.png'
const TINY = 'examples/models/nvlm-tiny'

/** Run the command; lines of progress, which only a slow machine shows, are left out. */
async function nvlm(args: readonly string[], options?: RunOptions): Promise<Finished> {
  const { code, out, err } = await runNode(['dist/cli.js', ...args], options)
  return { code, out, err: err.replace(/^[a-z ]+ \d+%\n/gm, '') }
}

describe('the built command', () => {
  test('knows its version', async () => {
    const { version } = JSON.parse(readFileSync(join(projectFolder, 'package.json'), 'utf8'))
    expect(await nvlm(['--version'])).toEqual({ code: 0, out: `${version}\n`, err: '' })
  })

  test('demo reads the sign, then prints tokens, timings and device', async () => {
    const { code, out, err } = await nvlm(['demo'])
    expect(err).toBe('')
    expect(out).toMatch(/answer\nCOFFEE \$3\.50\ntokens +\d+ in \(27 of the pictures\), \d+ out\n/)
    expect(out).toMatch(/first token +after [\d.]+ m?s\n/)
    expect(out).toMatch(/device +cpu\n$/)
    expect(code).toBe(0)
  })

  test('ask streams to stdout and reports to stderr', async () => {
    const { code, out, err } = await nvlm(['ask', SIGN, 'What does the sign say?'])
    expect(out).toBe('COFFEE $3.50\n')
    expect(err).toMatch(/tokens · first after .* · on cpu\n$/)
    expect(code).toBe(0)
  })

  test('ask --json prints the result, the same each time', async () => {
    const argv = [
      'ask',
      SIGN,
      'Read the text.',
      '--json',
      '--temperature',
      '1',
      '--seed',
      '5',
      '--max-tokens',
      '4',
    ]
    const [first, second] = [await nvlm(argv), await nvlm(argv)]
    const result = JSON.parse(first.out)
    expect(Object.keys(result)).toEqual(['text', 'tokenIds', 'usage', 'timings', 'device'])
    expect(result.tokenIds.length).toBe(result.usage.completionTokens)
    expect(result.tokenIds.length).toBeLessThanOrEqual(4)
    expect(result.usage.totalTokens).toBe(result.usage.promptTokens + result.usage.completionTokens)
    expect(JSON.parse(second.out).tokenIds).toEqual(result.tokenIds)
  })

  test('prepare makes a folder that ask and inspect take', async () => {
    const prepared = join(folder, 'prepared')
    expect(await nvlm(['prepare', TINY, '--out', prepared])).toEqual({
      code: 0,
      out: `${prepared}\n`,
      err: '',
    })
    const again = await nvlm(['prepare', TINY, '--out', prepared])
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining('exists already') })
    const answer = await nvlm([
      'ask',
      SIGN,
      'What does the sign say?',
      '--model',
      prepared,
      '--dtype',
      'fp32',
    ])
    expect(answer.out).toBe('COFFEE $3.50\n')
    const inspection = JSON.parse((await nvlm(['inspect', prepared, '--json'])).out)
    expect(inspection).toMatchObject({ id: 'prepared', kind: 'prepared', family: 'nvlm-d' })
  })

  test('tiles draws a picture', async () => {
    const out = join(folder, 'tiles.png')
    const finished = await nvlm(['tiles', SIGN, '--out', out, '--tile-size', '96'])
    expect(finished.out).toContain('2 x 1 and a thumbnail')
    expect(await sharp(out).metadata()).toMatchObject({ format: 'png', width: 296, height: 96 })
  })
})

describe('what goes wrong with the built command', () => {
  const text = join(folder, 'text.jpg')
  writeFileSync(text, 'hello\n')

  test.each([
    ['a model that is not there', ['ask', 'Hi', '--model', 'nowhere'], 1, 'nowhere: does not exist'],
    ['a picture that is not there', ['ask', 'no.png', 'Hi'], 1, 'no.png: does not exist'],
    ['a text file named .jpg', ['ask', text, 'Hi'], 1, 'text.jpg: is text, not a picture'],
    ['a folder without a model', ['ask', 'Hi', '--model', 'src'], 1, 'src'],
    ['a number format that is not there', ['ask', 'Hi', '--dtype', 'q9'], 2, 'dtype'],
    ['an impossible number of tokens', ['ask', 'Hi', '--max-tokens', '0'], 2, 'maxTokens'],
    [
      'an impossible tile size',
      ['tiles', SIGN, '--out', join(folder, 'x.png'), '--tile-size', '0'],
      2,
      'tileSize',
    ],
  ])('%s is a short error with a hint', async (_, argv, exitCode, message) => {
    const { code, out, err } = await nvlm(argv)
    expect(err).toMatch(/^error: .+\nhint: .+\n$/)
    expect(err).toContain(message)
    expect(out).toBe('')
    expect(code).toBe(exitCode)
  })

  test('a truncated checkpoint names the file, and NVLM_DEBUG=1 shows the stack', async () => {
    const broken = mkdtempSync(join(folder, 'broken-'))
    for (const name of ['config.json', 'merges.txt', 'tokenizer_config.json', 'vocab.json']) {
      copyFileSync(join(projectFolder, TINY, name), join(broken, name))
    }
    const weights = readFileSync(join(projectFolder, TINY, 'model.safetensors'))
    writeFileSync(join(broken, 'model.safetensors'), weights.subarray(0, weights.length - 100))
    const { code, err } = await nvlm(['ask', 'Hi', '--model', broken], { env: { NVLM_DEBUG: '1' } })
    expect(err).toMatch(/^error: .*model\.safetensors/)
    expect(err).toMatch(/\n +at /)
    expect(code).toBe(1)
  })

  test('Ctrl-C stops an answer between two tokens, exit code 130', async () => {
    const { code, out, err } = await interruptLongAnswer()
    expect(err).toBe('stopped\n')
    expect(code).toBe(130)
    expect(out.length).toBeGreaterThan(1)
  }, 240_000)
})

/** Interrupt an answer at its first word: so hot that any token may come, with the first seed that does not end it before. */
async function interruptLongAnswer(): Promise<Finished> {
  const onStart: RunOptions['onStart'] = child => child.stdout!.once('data', () => child.kill('SIGINT'))
  for (let seed = 1; seed <= 10; seed++) {
    const argv = ['ask', 'Hi', '--temperature', '50', '--max-tokens', '1900', '--seed', String(seed)]
    const finished = await nvlm(argv, { onStart })
    if (finished.code === 130) return finished
  }
  throw new Error('no answer could be interrupted')
}

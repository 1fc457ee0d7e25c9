import { describe, expect, test } from 'vitest'
import { runCli } from '../../src/cli/main.js'
import { NVLMError } from '../../src/core/errors.js'
import { FakeApi, FakeOutput, fakeContext } from './fake-api.js'

class FailingApi extends FakeApi {
  constructor(private readonly error: unknown) {
    super()
  }

  override async inspect(): Promise<object> {
    throw this.error
  }
}

function failing(error: unknown) {
  return fakeContext({ api: new FailingApi(error) })
}

describe('the command line', () => {
  test('prints its version', async () => {
    const context = fakeContext()
    expect(await runCli(['--version'], context)).toBe(0)
    expect(context.out.text).toBe('1.2.3\n')
  })

  test.each([['--help'], ['help']])('lists its commands on %s', async argument => {
    const context = fakeContext()
    expect(await runCli([argument], context)).toBe(0)
    for (const name of ['ask', 'chat', 'pull', 'prepare', 'inspect', 'verify', 'tiles', 'cache', 'demo']) {
      expect(context.out.text).toMatch(new RegExp(`^  ${name} +\\S`, 'm'))
    }
  })

  test.each([
    [
      'ask',
      [
        '--model <model>',
        '--revision <name>',
        '--dtype <name>',
        '--max-tokens <n>',
        '--temperature <x>',
        '--seed <n>',
        '--json',
      ],
    ],
    ['prepare', ['--out <folder>', '--dtype <name>', '--rounding <name>', '--threads <number>']],
    ['inspect', ['--dtype <name>', '--context <tokens>', '--json']],
    ['verify', ['--json']],
    ['tiles', ['--out <file.png>', '--max-tiles <n>', '--tile-size <n>', '--no-exif']],
    ['pull', ['--revision <name>']],
    ['cache', ['--revision <name>', '--json', 'list', 'rm', 'verify']],
    ['chat', ['[model]', '--system <text>', '--no-images', '/help']],
    ['demo', ['--no-images']],
  ])('explains the flags of %s', async (name, flags) => {
    const context = fakeContext()
    expect(await runCli([name, '--help'], context)).toBe(0)
    expect(context.out.text).toContain(`nvlm ${name}`)
    for (const flag of flags) expect(context.out.text).toContain(flag)
  })

  test.each([
    [[], 'a command is missing'],
    [['sing'], 'there is no command "sing"'],
    [['ask'], 'the question is missing'],
    [['ask', 'Hi', '--loud'], '--loud'],
    [['ask', 'Hi', '--seed'], '--seed'],
    [['ask', 'Hi', '--seed', 'seven'], '--seed takes a number, got "seven"'],
    [['ask', 'Hi', '--max-tokens', ''], '--max-tokens takes a number, got ""'],
    [['ask', 'package.json'], 'the question is missing behind the picture "package.json"'],
    [['prepare'], 'checkpoint is missing'],
    [['prepare', 'a'], '--out <folder> is missing'],
    [['prepare', 'a', 'b', '--out', 'c'], 'one checkpoint expected, got 2'],
    [['inspect'], 'model is missing'],
    [['chat', 'a', 'b'], 'one model expected, got 2'],
    [['pull'], 'name of a model is missing'],
    [['cache'], 'expected list, rm or verify'],
    [['cache', 'sell'], 'expected list, rm or verify, got "sell"'],
    [['cache', 'rm'], 'name of a model is missing'],
    [['cache', 'verify', 'a/b', 'c/d'], 'one name expected, got 2'],
    [['cache', 'list', '--revision', 'main'], '--revision does not go with list'],
    [['tiles', 'a.png'], '--out <file.png> is missing'],
    [['demo', 'a.png'], 'unexpected argument "a.png"'],
  ])('answers %j with usage error: %s', async (argv, message) => {
    const context = fakeContext()
    expect(await runCli(argv, context)).toBe(2)
    expect(context.err.text).toContain(message)
    expect(context.err.text).toMatch(/hint: Run `nvlm .*--help`/)
    expect(context.out.text).toBe('')
  })

  test('shows the message and hint of a library error, without its stack', async () => {
    const context = failing(new NVLMError('MODEL_NOT_FOUND', 'x: does not exist', { hint: 'Name a folder.' }))
    expect(await runCli(['inspect', 'x'], context)).toBe(1)
    expect(context.err.text).toBe('error: x: does not exist\nhint: Name a folder.\n')
  })

  test('counts an option that the library refuses as wrong usage', async () => {
    const context = failing(new NVLMError('INVALID_OPTION', 'dtype "q9"'))
    expect(await runCli(['inspect', 'x'], context)).toBe(2)
    expect(context.err.text).toBe('error: dtype "q9"\nhint: Run `nvlm inspect --help`.\n')
  })

  test('calls an unknown error a bug', async () => {
    const context = failing(new TypeError('x is undefined'))
    expect(await runCli(['inspect', 'x'], context)).toBe(1)
    expect(context.err.text).toContain('error: x is undefined')
    expect(context.err.text).toContain('bug')
    expect(context.err.text).not.toContain('at ')
  })

  test('shows the stacks of an error and its causes when debugging', async () => {
    const cause = new Error('disk on fire')
    const context = { ...failing(new NVLMError('MODEL_INVALID', 'bad', { cause })), isDebug: true }
    expect(await runCli(['inspect', 'x'], context)).toBe(1)
    expect(context.err.text).toMatch(/NVLMError: bad\n +at /)
    expect(context.err.text).toMatch(/Error: disk on fire\n +at /)
  })

  test('keeps control characters of error messages from the terminal', async () => {
    const err = new FakeOutput(true, true)
    const context = fakeContext({
      api: new FailingApi(new NVLMError('MODEL_INVALID', 'a\u001b]0;b\u0007c')),
      err,
    })
    await runCli(['inspect', 'x'], context)
    expect(err.text).toContain('a]0;bc')
    expect(err.text).not.toContain('\u0007')
  })

  test('says that it was stopped, exit code 130, when the signal aborts', async () => {
    const controller = new AbortController()
    const api = new FakeApi(['Open ', 'daily'], {}, index => index === 1 && controller.abort())
    const context = fakeContext({ api, signal: controller.signal })
    expect(await runCli(['ask', 'Hi'], context)).toBe(130)
    expect(context.out.text).toBe('Open \n')
    expect(context.err.text).toMatch(/stopped\n$/)
    expect(api.numDisposed).toBe(1)
  })
})

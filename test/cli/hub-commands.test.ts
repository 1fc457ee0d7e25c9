import { describe, expect, test } from 'vitest'
import { runCli } from '../../src/cli/main.js'
import { FakeApi, FakeOutput, fakeContext } from './fake-api.js'

describe('nvlm pull', () => {
  test('prints the folder, and on a terminal how fast it goes and how long it takes', async () => {
    const [api, err] = [new FakeApi(), new FakeOutput(true)]
    const context = fakeContext({ api, err })
    expect(await runCli(['pull', 'a/b', '--revision', 'v1'], context)).toBe(0)
    expect(context.out.text).toBe('/cache/a/b\n')
    expect(err.text).toContain(' 50% downloading, 1.2 MB/s, 2 min left')
    expect(api.jobs).toEqual([{ pull: 'a/b', revision: 'v1' }])
  })

  test('says a licence notice on stderr, without control characters', async () => {
    const [api, err] = [new FakeApi(), new FakeOutput(true)]
    api.notice = 'a/b is licensed cc-by-nc-4.0\u001b[2J: not for commercial use'
    await runCli(['pull', 'a/b'], fakeContext({ api, err }))
    expect(err.text).toContain('notice: a/b is licensed cc-by-nc-4.0[2J: not for commercial use\n')
  })
})

describe('nvlm ask', () => {
  test('hands on a revision, and shows notices', async () => {
    const api = new FakeApi()
    api.notice = 'not for commercial use'
    const context = fakeContext({ api })
    await runCli(['ask', 'Why?', '--model', 'a/b', '--revision', 'v1'], context)
    expect(api.loads).toEqual([{ model: 'a/b', dtype: undefined, revision: 'v1' }])
    expect(context.err.text).toContain('notice: not for commercial use\n')
    expect(context.out.text).toBe('Open daily\n')
  })
})

describe('nvlm cache', () => {
  test('lists models with sizes, commits and branches', async () => {
    const context = fakeContext()
    expect(await runCli(['cache', 'list'], context)).toBe(0)
    expect(context.out.text).toBe(`a/b  2.0 MB  ${'c'.repeat(12)} (main)\n`)
    const json = fakeContext()
    await runCli(['cache', 'list', '--json'], json)
    expect(JSON.parse(json.out.text)).toMatchObject([{ name: 'a/b', bytes: 2_000_000 }])
  })

  test('removes a model, or one revision of it', async () => {
    const api = new FakeApi()
    const context = fakeContext({ api })
    expect(await runCli(['cache', 'rm', 'a/b', '--revision', 'main'], context)).toBe(0)
    expect(api.jobs).toEqual([{ remove: 'a/b', revision: 'main' }])
    expect(context.out.text).toBe('1.5 MB freed\n')
  })

  test('checks a model, and fails if a file is damaged', async () => {
    const whole = fakeContext()
    expect(await runCli(['cache', 'verify', 'a/b'], whole)).toBe(0)
    expect(whole.out.text).toBe('config.json  whole\n')
    const api = new FakeApi()
    api.cachedState = 'changed'
    const damaged = fakeContext({ api })
    expect(await runCli(['cache', 'verify', 'a/b'], damaged)).toBe(1)
    expect(damaged.err.text).toContain('1 of 1 files are damaged')
    expect(damaged.err.text).toContain('nvlm cache rm a/b, then nvlm pull a/b')
  })
})

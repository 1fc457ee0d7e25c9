import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { findGraphics, graphicsByEnv, readReplies } from '../../../src/cli/terminal/graphics.js'
import { FakeOutput } from '../fake-api.js'

describe('what the environment tells about pictures', () => {
  test.each([
    [{ TERM: 'xterm-kitty' }, 'kitty'],
    [{ TERM: 'xterm-256color', KITTY_WINDOW_ID: '1' }, 'kitty'],
    [{ TERM: 'xterm-ghostty' }, 'kitty'],
    [{ TERM_PROGRAM: 'ghostty' }, 'kitty'],
    [{ TERM_PROGRAM: 'iTerm.app' }, 'iterm2'],
    [{ TERM_PROGRAM: 'WezTerm' }, 'iterm2'],
    [{ LC_TERMINAL: 'iTerm2' }, 'iterm2'],
    [{ TERM_PROGRAM: 'Apple_Terminal' }, 'blocks'],
    [{ TERM: 'linux' }, 'blocks'],
    [{ TERM: 'tmux-256color', KITTY_WINDOW_ID: '1' }, 'blocks'],
    [{ TERM: 'xterm-kitty', TMUX: '/tmp/tmux' }, 'blocks'],
    [{ TERM: 'xterm-256color' }, undefined],
    [{ TERM_PROGRAM: 'toString' }, undefined],
    [{}, undefined],
  ])('%j: %s', (env, mode) => {
    expect(graphicsByEnv(env)).toBe(mode)
  })
})

describe('what a terminal tells about itself', () => {
  test.each([
    ['\u001b_Gi=31;OK\u001b\\\u001b[?62;4c', 'kitty'],
    ['\u001b_Gi=31;EINVAL:no\u001b\\\u001b[?62;4;22c', 'sixel'],
    ['\u001b[?62;4c', 'sixel'],
    ['\u001b[?4;6c', 'blocks'],
    ['\u001b[?1;2c', 'blocks'],
    ['', 'blocks'],
  ])('%j: %s', (replies, mode) => {
    expect(readReplies(replies)).toEqual({ mode, cellWidth: 10, cellHeight: 20 })
  })

  test('its cells, unless they are absurd', () => {
    expect(readReplies('\u001b[6;34;17t\u001b[?62;4c')).toEqual({
      mode: 'sixel',
      cellWidth: 17,
      cellHeight: 34,
    })
    expect(readReplies('\u001b[6;99999;0t')).toMatchObject({ cellWidth: 10, cellHeight: 20 })
  })
})

/** A keyboard whose terminal answers each question with `reply`. */
function terminal(reply: string) {
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => raw.push(isRaw),
  })
  const raw: boolean[] = []
  const out = new FakeOutput(true, true)
  out.write = text => {
    out.text += text
    if (reply) stdin.write(reply)
  }
  return { stdin, out, raw, env: { TERM: 'xterm' } }
}

describe('finding out', () => {
  test('asks a terminal that the environment does not name, and leaves its keyboard as it was', async () => {
    const context = terminal('\u001b[?62;4c')
    expect(await findGraphics(context)).toMatchObject({ mode: 'sixel' })
    expect(context.raw).toEqual([true, false])
    expect(context.stdin.listenerCount('data')).toBe(0)
  })

  test('goes on without an answer', async () => {
    const start = performance.now()
    expect(await findGraphics(terminal(''))).toMatchObject({ mode: 'blocks' })
    expect(performance.now() - start).toBeLessThan(3000)
  })

  test('asks nothing where the environment tells, or nobody could answer', async () => {
    const known = terminal('')
    expect(await findGraphics({ ...known, env: { TERM: 'xterm-kitty' } })).toMatchObject({ mode: 'kitty' })
    const piped = { ...known, stdin: new PassThrough() }
    expect(await findGraphics(piped)).toMatchObject({ mode: 'blocks' })
    expect(known.out.text).toBe('')
  })

  test('there are no pictures without a terminal or without colours', async () => {
    for (const out of [new FakeOutput(false, true), new FakeOutput(true, false)]) {
      expect(await findGraphics({ ...terminal(''), out, env: { TERM: 'xterm-kitty' } })).toBeUndefined()
      expect(out.text).toBe('')
    }
  })
})

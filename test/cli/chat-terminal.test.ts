import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { projectFolder } from '../support/run-node.js'
import { TestTerminal, type TestTerminalOptions } from '../support/test-terminal.js'

const folder = mkdtempSync(join(tmpdir(), 'nvlm-terminal-'))
const photo = join(folder, "Bob's sign (1).png")
copyFileSync(join(projectFolder, 'examples/pictures/sign.png'), photo)
afterAll(() => rmSync(folder, { recursive: true }))

const terminals: TestTerminal[] = []
afterEach(() => {
  for (const terminal of terminals.splice(0)) terminal.close()
})

function open(args: readonly string[], options?: TestTerminalOptions): TestTerminal {
  const terminal = new TestTerminal(args, options)
  terminals.push(terminal)
  return terminal
}

const PROMPT = /^> *$/m
/** Text as a terminal pastes a dropped file. */
const drop = (text: string) => `\u001b[200~${text}\u001b[201~`

describe('nvlm chat in a real terminal', () => {
  test('answers about a dropped picture, goes on, completes, remembers lines and leaves at Ctrl-D', async () => {
    const terminal = open(['chat'], { env: { COLORTERM: 'truecolor' } })
    await terminal.shows(PROMPT)
    terminal.type(drop(`'${photo.replace("'", `'\\''`)}' `))
    terminal.type('What does the sign say?\r')
    await terminal.shows(/▀{56}\n(▀{56}\n)+.*sign \(1\)\.png, 264 x 132\nCOFFEE \$3\.50\n.*a second/)
    expect(terminal.bytes).toMatch(/38;2;\d+;\d+;\d+;48;2;\d+;\d+;\d+m▀/)

    terminal.type('/und\t')
    await terminal.shows(/^> \/undo/m)
    terminal.type('\r')
    await terminal.shows(/^> \/undo\s*\n0 messages are left/m)
    // up twice: the question before the command
    terminal.type('\u001b[A\u001b[A\r')
    await terminal.shows(/COFFEE[\s\S]*COFFEE.*\n.*a second.*of it known/)
    terminal.type('\u0004')
    expect(await terminal.ends()).toBe(0)
    expect(terminal.bytes.lastIndexOf('\u001b[?2004l')).toBeGreaterThan(
      terminal.bytes.lastIndexOf('\u001b[?2004h'),
    )
  })

  test('Ctrl-C stops an answer and keeps it, keys pressed meanwhile wait, and the second one leaves', async () => {
    const terminal = open(['chat', '--temperature', '5', '--seed', '1', '--no-images'])
    await terminal.shows(PROMPT)
    terminal.type('/set min-tokens=1800 max-tokens=1900\r')
    await terminal.shows(/max-tokens +1900[\s\S]*> *$/)
    terminal.type('Hello?\r')
    await terminal.shows(/Hello\?\s*\n[\s\S]*\S{3}/)
    terminal.type('\u0003')
    const stopped = await terminal.shows(/stopped · \d+ tokens/)
    expect(Number(/stopped · (\d+) tokens/.exec(stopped)![1])).toBeLessThan(1800)
    terminal.type('/stats\r')
    await terminal.shows(/messages +2\n/)
    terminal.type('Again\r')
    await terminal.shows(/> Again\s*\n[\s\S]*\S{3}/)
    terminal.type('\u0003\u0003')
    expect(await terminal.ends()).toBe(130)
    expect(terminal.text()).toMatch(/stopped$/)
  })

  test('draws with sixels where the terminal says it can, and takes its answer for no key', async () => {
    const terminal = open(['demo'], { isAnswering: false })
    await terminal.writes('\u001b[c')
    terminal.type('\u001b[?62;4;22c')
    expect(await terminal.ends()).toBe(0)
    expect(terminal.bytes).toContain('\u001bP0;1;q')
    expect(terminal.text()).toMatch(/COFFEE \$3\.50\n/)
    expect(terminal.text()).not.toContain('62')
  })

  test('draws nothing and asks nothing with NO_COLOR', async () => {
    const terminal = open(['demo'], { env: { NO_COLOR: '1' } })
    expect(await terminal.ends()).toBe(0)
    expect(terminal.text()).toMatch(/COFFEE \$3\.50\n/)
    for (const drawn of ['▀', '\u001b_', '\u001bP', '\u001b[c']) expect(terminal.bytes).not.toContain(drawn)
  })
})

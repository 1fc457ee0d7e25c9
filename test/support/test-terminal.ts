import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import xterm from '@xterm/headless'
import { projectFolder } from './run-node.js'

const TIMEOUT_MS = 30_000

/** Settings of a terminal. */
export interface TestTerminalOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly columns?: number
  readonly rows?: number
  /** Answer the program's questions about the terminal, as xterm.js does (default true). */
  readonly isAnswering?: boolean
}

/**
 * The built command in a real pseudo-terminal (util-linux `script`), and xterm.js, which shows what a person would see.
 */
export class TestTerminal {
  /** Everything the program wrote. */
  bytes = ''
  private readonly screen: InstanceType<typeof xterm.Terminal>
  private readonly child: ChildProcessWithoutNullStreams
  private readonly exited: Promise<number>
  private onChange: () => void = () => {}

  constructor(args: readonly string[], options: TestTerminalOptions = {}) {
    const { env = {}, columns = 100, rows = 40, isAnswering = true } = options
    this.screen = new xterm.Terminal({ cols: columns, rows, allowProposedApi: true, scrollback: 1000 })
    const command = [process.execPath, 'dist/cli.js', ...args].map(word => `'${word}'`).join(' ')
    const line = `stty cols ${columns} rows ${rows}; exec ${command}`
    this.child = spawn('script', ['-qfec', line, '/dev/null'], {
      cwd: projectFolder,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        SHELL: '/bin/sh',
        TERM: 'xterm-256color',
        ...env,
      },
    })
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.bytes += text
      this.screen.write(text, () => this.onChange())
    })
    if (isAnswering) this.screen.onData(reply => this.child.stdin.write(reply))
    this.exited = new Promise(resolve => this.child.on('close', code => resolve(code ?? -1)))
  }

  /** Press keys. */
  type(keys: string): void {
    this.child.stdin.write(keys)
  }

  /** What is on the screen and above it, without the empty lines below. */
  text(): string {
    const { active } = this.screen.buffer
    const lines = Array.from({ length: active.length }, (_, y) => active.getLine(y)!)
    const rows = lines.map(line => ({ text: line.translateToString(true), isWrapped: line.isWrapped }))
    return rows.reduce((all, { text, isWrapped }) => all + (isWrapped ? '' : '\n') + text, '').trim()
  }

  /** Wait until the screen shows it. */
  shows(wanted: RegExp): Promise<string> {
    return this.until(`shows ${wanted}`, () => wanted.test(this.text()))
  }

  /** Wait until the program has written it. */
  writes(wanted: string): Promise<string> {
    return this.until(`writes ${JSON.stringify(wanted)}`, () => this.bytes.includes(wanted))
  }

  /** The exit code, once the program has ended. */
  ends(): Promise<number> {
    return this.exited
  }

  private async until(what: string, isThere: () => boolean): Promise<string> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`never ${what}; there is:\n${this.text()}`)),
        TIMEOUT_MS,
      )
      this.onChange = () => {
        if (!isThere()) return
        clearTimeout(timer)
        this.onChange = () => {}
        resolve()
      }
      this.onChange()
    })
    return this.text()
  }

  /** Take the terminal away. */
  close(): void {
    this.child.kill('SIGKILL')
    this.screen.dispose()
  }
}

import { createInterface, type Interface } from 'node:readline'
import { Writable } from 'node:stream'
import { type Output, paint } from '../output.js'
import { bracketedPaste, type Keyboard, LINE_BREAK_MARK } from '../terminal/keyboard.js'
import { complete } from './complete.js'

/** What a person did at the prompt. */
export type PromptAnswer =
  | { readonly kind: 'line'; readonly text: string }
  /** Ctrl-D, or the terminal went away. */
  | { readonly kind: 'end' }
  /** Ctrl-C, twice. */
  | { readonly kind: 'interrupt' }

/** Lines from a terminal, with editing, history and completion. Nothing of it is written to disk. */
export class LinePrompt {
  private readonly readline: Interface
  private readonly answers: PromptAnswer[] = []
  private wanted: ((answer: PromptAnswer) => void) | undefined
  private isWarned = false

  constructor(
    private readonly keyboard: Keyboard,
    private readonly out: Output,
  ) {
    this.readline = createInterface({
      input: keyboard,
      output: writableOf(out),
      terminal: true,
      prompt: paint(out, 'bold', '> '),
      historySize: 1000,
      removeHistoryDuplicates: true,
      completer: (line: string) => {
        const [candidates, piece] = complete(line)
        return [candidates, piece]
      },
    })
    this.readline.on('line', line => {
      this.isWarned = false
      this.give({ kind: 'line', text: line.replaceAll(LINE_BREAK_MARK, '\n') })
    })
    this.readline.on('SIGINT', () => this.interrupt())
    this.readline.on('close', () => this.give({ kind: 'end' }))
    out.write(bracketedPaste.on)
  }

  /** The next line. */
  next(): Promise<PromptAnswer> {
    const answer = this.answers.shift()
    if (answer !== undefined) return Promise.resolve(answer)
    this.readline.prompt()
    return new Promise(resolve => {
      this.wanted = resolve
    })
  }

  /**
   * Do something while keys wait.
   *
   * @param work - gets a signal that aborts on Ctrl-C; a second one comes out of `next` as an interruption
   */
  async during<Result>(work: (stop: AbortSignal) => Promise<Result>): Promise<Result> {
    const stop = new AbortController()
    this.keyboard.hold(() => {
      if (stop.signal.aborted) this.answers.push({ kind: 'interrupt' })
      this.isWarned = true
      stop.abort()
    })
    try {
      return await work(stop.signal)
    } finally {
      this.keyboard.release()
    }
  }

  /** Give the terminal back. */
  close(): void {
    this.out.write(bracketedPaste.off)
    this.readline.close()
    this.keyboard.close()
  }

  private interrupt(): void {
    if (this.readline.line !== '') {
      this.readline.write(null, { ctrl: true, name: 'e' })
      this.readline.write(null, { ctrl: true, name: 'u' })
    } else if (this.isWarned) {
      this.out.write('\n')
      this.give({ kind: 'interrupt' })
    } else {
      this.isWarned = true
      this.out.write(`\n${paint(this.out, 'dim', 'Ctrl-C again leaves, as /exit and Ctrl-D do')}\n`)
      this.readline.prompt()
    }
  }

  private give(answer: PromptAnswer): void {
    const { wanted } = this
    this.wanted = undefined
    if (wanted) wanted(answer)
    else this.answers.push(answer)
  }
}

/** An output as readline wants it. */
function writableOf(out: Output): Writable & { readonly columns: number } {
  const stream = new Writable({
    decodeStrings: false,
    write(text, _, done) {
      out.write(String(text))
      done()
    },
  })
  return Object.defineProperty(stream, 'columns', { get: () => out.columns }) as never
}

import { Readable } from 'node:stream'
import type { Stdin } from '../command.js'
import { printable } from '../output.js'

/** Stands for a line break inside a line that is being edited. */
export const LINE_BREAK_MARK = '↵'

/** The terminal puts these around what was pasted, once it is told to. */
const PASTE_START = '\u001b[200~'
const PASTE_END = '\u001b[201~'

/** Tell the terminal to mark what is pasted, and to stop it. */
export const bracketedPaste = { on: '\u001b[?2004h', off: '\u001b[?2004l' } as const

const ESC = '\u001b'
const CTRL_C = '\u0003'

/** What the terminal says about itself: about kitty's graphics, the size of a cell, its class. */
const REPLY = `${ESC}_G[^${ESC}]*${ESC}\\\\|${ESC}\\[6;\\d+;\\d+t|${ESC}\\[\\?[\\d;]*c`
const SPECIAL = new RegExp(`${ESC}\\[200~|${REPLY}|${CTRL_C}|${ESC}[\\r\\n]`)
/** The beginning of one of them; a lone escape is the key. */
const BEGUN = new RegExp(`${ESC}(?:\\[(?:2(?:0(?:0)?)?|6[\\d;]*|\\?[\\d;]*)?|_(?:G[^${ESC}]*${ESC}?)?)?$`)

/**
 * Keys of a terminal as readline wants them, with everything taken out that is no key.
 *
 * - What is pasted stays one piece: its line breaks become `↵`, its other control characters go.
 * - Answers of the terminal to questions about itself go to `onReply`.
 * - While it is held, keys wait, and Ctrl-C goes to whoever holds it.
 */
export class Keyboard extends Readable {
  onReply: (reply: string) => void = () => {}
  private unread = ''
  private pasted: string | undefined
  private onInterrupt: (() => void) | undefined
  private waiting = ''
  private readonly onData = (chunk: string | Buffer) => this.receive(chunk.toString())
  private readonly onEnd = () => this.push(null)

  constructor(private readonly source: Stdin) {
    super()
    source.setEncoding('utf8')
    source.on('data', this.onData)
    source.on('end', this.onEnd)
  }

  setRawMode(isRaw: boolean): void {
    this.source.setRawMode?.(isRaw)
  }

  /** Keep the keys until `release`; Ctrl-C calls `onInterrupt` and drops those that wait. */
  hold(onInterrupt: () => void): void {
    this.onInterrupt = onInterrupt
  }

  release(): void {
    this.onInterrupt = undefined
    const keys = this.waiting
    this.waiting = ''
    if (keys !== '') this.push(keys)
  }

  /** Leave the source as it was found. */
  close(): void {
    this.source.off('data', this.onData)
    this.source.off('end', this.onEnd)
    this.setRawMode(false)
    this.source.pause()
    this.destroy()
  }

  override _read(): void {
    this.source.resume()
  }

  private receive(chunk: string): void {
    let text = this.unread + chunk
    this.unread = ''
    while (text !== '') text = this.pasted === undefined ? this.takeKeys(text) : this.takePasted(text)
  }

  /** Take what comes before and with the next special sequence; gives the rest. */
  private takeKeys(text: string): string {
    const special = SPECIAL.exec(text)
    if (special === null) {
      const begun = BEGUN.exec(text)?.index ?? text.length
      // a lone escape at the end is the key: readline tells it from a sequence by time
      const end = begun === text.length - 1 ? text.length : begun
      this.unread = text.slice(end)
      this.type(text.slice(0, end))
      return ''
    }
    const [found] = special
    this.type(text.slice(0, special.index))
    if (found === PASTE_START) this.pasted = ''
    else if (found === CTRL_C) this.interrupt()
    else if (/[\r\n]$/.test(found)) this.type(LINE_BREAK_MARK)
    else this.onReply(found)
    return text.slice(special.index + found.length)
  }

  private takePasted(text: string): string {
    const all = this.pasted + text
    const end = all.indexOf(PASTE_END)
    this.pasted = end < 0 ? all : undefined
    if (end < 0) return ''
    this.type(flatten(all.slice(0, end)))
    return all.slice(end + PASTE_END.length)
  }

  private interrupt(): void {
    if (this.onInterrupt === undefined) this.type(CTRL_C)
    else {
      this.waiting = ''
      this.onInterrupt()
    }
  }

  private type(keys: string): void {
    if (keys === '') return
    if (this.onInterrupt === undefined) this.push(keys)
    else this.waiting += keys
  }
}

/** Pasted text as one line without keys in it. */
function flatten(text: string): string {
  const oneLine = text
    .replace(/[\r\n]+$/, '')
    .replace(/\r\n?|\n/g, LINE_BREAK_MARK)
    .replaceAll('\t', '    ')
  return printable({ isTTY: true }, oneLine)
}

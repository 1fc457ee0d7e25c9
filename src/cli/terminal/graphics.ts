import type { CommandContext } from '../command.js'
import { Keyboard } from './keyboard.js'

/** How a terminal shows pictures: by a protocol for pixels, or as blocks of two pixels with their colours. */
export type GraphicsMode = 'kitty' | 'iterm2' | 'sixel' | 'blocks'

/** How pictures are shown, and how large a cell of the terminal is. */
export interface Graphics {
  readonly mode: GraphicsMode
  /** In pixels. */
  readonly cellWidth: number
  readonly cellHeight: number
}

/** Usual, and the shape of most fonts. */
const DEFAULT_CELL = { cellWidth: 10, cellHeight: 20 } as const

/** A terminal in the room answers at once, one behind a slow line in a quarter of a second; it never keeps anybody waiting longer. */
const REPLY_TIMEOUT_MS = 300

/**
 * Is there kitty's protocol (one pixel, asked about but not shown)? How large is a cell? What can you do? The last is
 * answered by every terminal, so nobody waits for the others to be silent.
 */
const QUESTIONS = '\u001b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\u001b\\\u001b[16t\u001b[c'

/** Terminals by the name they go by in TERM_PROGRAM. */
const PROGRAMS: Readonly<Record<string, GraphicsMode>> = {
  'iTerm.app': 'iterm2',
  WezTerm: 'iterm2',
  mintty: 'iterm2',
  ghostty: 'kitty',
  // prints what it doesn't know: not to be asked
  Apple_Terminal: 'blocks',
}

/** What the environment tells; undefined: the terminal has to be asked. */
export function graphicsByEnv(env: CommandContext['env']): GraphicsMode | undefined {
  const { TERM = '', TERM_PROGRAM = '', LC_TERMINAL, KITTY_WINDOW_ID, TMUX } = env
  // they pass no pixels on
  if (TMUX || /^(screen|tmux|linux|dumb)/.test(TERM)) return 'blocks'
  if (KITTY_WINDOW_ID || /^xterm-(kitty|ghostty)$/.test(TERM)) return 'kitty'
  if (LC_TERMINAL === 'iTerm2') return 'iterm2'
  return Object.hasOwn(PROGRAMS, TERM_PROGRAM) ? PROGRAMS[TERM_PROGRAM] : undefined
}

/**
 * How this terminal shows pictures; undefined where it doesn't: no terminal, no colours (NO_COLOR, TERM=dumb).
 *
 * @param keyboard - of the terminal, where one is open already
 */
export async function findGraphics(
  { stdin, out, env }: Pick<CommandContext, 'stdin' | 'out' | 'env'>,
  keyboard?: Keyboard,
): Promise<Graphics | undefined> {
  if (!out.isTTY || !out.hasColors) return undefined
  const known = graphicsByEnv(env)
  if (known !== undefined) return { mode: known, ...DEFAULT_CELL }
  if (!stdin.isTTY) return { mode: 'blocks', ...DEFAULT_CELL }
  if (keyboard !== undefined) return askTerminal(out, keyboard)
  const own = new Keyboard(stdin)
  own.setRawMode(true)
  try {
    return await askTerminal(out, own)
  } finally {
    own.close()
  }
}

async function askTerminal(out: CommandContext['out'], keyboard: Keyboard): Promise<Graphics> {
  const replies = await new Promise<string>(resolve => {
    let all = ''
    const timer = setTimeout(() => resolve(all), REPLY_TIMEOUT_MS)
    keyboard.onReply = reply => {
      all += reply
      if (!reply.endsWith('c')) return
      clearTimeout(timer)
      resolve(all)
    }
    keyboard.read(0)
    out.write(QUESTIONS)
  })
  // what comes too late is still no key
  keyboard.onReply = () => {}
  return readReplies(replies)
}

/** What a terminal said to the questions. */
export function readReplies(replies: string): Graphics {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: replies of a terminal are made of them
  const cell = /\u001b\[6;(\d+);(\d+)t/.exec(replies)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: as above
  const abilities = /\u001b\[\?([\d;]*)c/.exec(replies)?.[1]?.split(';').slice(1) ?? []
  const [cellHeight, cellWidth] = [Number(cell?.[1]), Number(cell?.[2])]
  const isSize = cellWidth >= 2 && cellWidth <= 200 && cellHeight >= 2 && cellHeight <= 400
  const mode = replies.includes('_Gi=31;OK') ? 'kitty' : abilities.includes('4') ? 'sixel' : 'blocks'
  return { mode, ...(isSize ? { cellWidth, cellHeight } : DEFAULT_CELL) }
}

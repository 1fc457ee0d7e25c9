import type { CliApi } from './api.js'
import type { Args } from './args.js'
import type { Output } from './output.js'

/** One flag of a command. */
export interface Flag {
  readonly name: string
  /** Name of its value in the help; a flag without one is a switch. */
  readonly value?: string
  readonly help: string
}

/** What comes in: a keyboard, or whatever is piped. */
export interface Stdin extends NodeJS.ReadableStream {
  readonly isTTY?: boolean
  /** Give keys as they are pressed, without echo; absent where there is no terminal. */
  setRawMode?(isRaw: boolean): unknown
}

/** Ctrl-C where the terminal gives it as a key instead of a signal; exit code 130. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** What a command works with. */
export interface CommandContext {
  readonly api: CliApi
  /** Answers and data. */
  readonly out: Output
  /** Progress, timings, errors. */
  readonly err: Output
  readonly stdin: Stdin
  /** Variables of the environment. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal
  /** Show stacks of errors. */
  readonly isDebug: boolean
}

/** One command of `nvlm`. */
export interface Command {
  readonly name: string
  /** Positional arguments as the help shows them. */
  readonly operands: string
  readonly summary: string
  /** More lines for the command's own help. */
  readonly notes?: readonly string[]
  readonly flags: readonly Flag[]
  /** Is an interruption the usual way for it to end? */
  readonly endsOnSignal?: boolean
  run(args: Args, context: CommandContext): Promise<void>
}

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

/** What a command works with. */
export interface CommandContext {
  readonly api: CliApi
  /** Answers and data. */
  readonly out: Output
  /** Progress, timings, errors. */
  readonly err: Output
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal
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
  run(args: Args, context: CommandContext): Promise<void>
}

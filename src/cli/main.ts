import { Args, UsageError } from './args.js'
import { ask } from './ask.js'
import { cache } from './cache.js'
import { chat } from './chat.js'
import { type Command, type CommandContext, Interrupted } from './command.js'
import { demo } from './demo.js'
import { commandHelp, generalHelp } from './help.js'
import { inspect } from './inspect.js'
import { paint } from './output.js'
import { prepare } from './prepare.js'
import { pull } from './pull.js'
import { isUsageError, reportError } from './report-error.js'
import { serve } from './serve.js'
import { tiles } from './tiles.js'
import { verify } from './verify.js'

/** What `nvlm` exits with. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const

const COMMANDS: readonly Command[] = [ask, chat, serve, pull, prepare, inspect, verify, tiles, cache, demo]

/** What surrounds a run of the command line. */
export interface CliContext extends CommandContext {
  readonly version: string
}

/**
 * Run one command line.
 *
 * @param argv - arguments behind the program's name
 * @returns the exit code
 */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  const [name, ...rest] = argv
  const command = COMMANDS.find(candidate => candidate.name === name)
  try {
    if (command) await runCommand(command, rest, context)
    else runWithoutCommand(name, context)
    return context.signal.aborted && !command?.endsOnSignal ? stopped(context) : exitCodes.ok
  } catch (error) {
    if (context.signal.aborted || error instanceof Interrupted) return stopped(context)
    reportError(
      error,
      context.err,
      `Run \`nvlm ${command ? `${command.name} ` : ''}--help\`.`,
      context.isDebug,
    )
    return isUsageError(error) ? exitCodes.usage : exitCodes.failed
  }
}

async function runCommand(command: Command, argv: readonly string[], context: CliContext): Promise<void> {
  const args = Args.parse(argv, [...command.flags, { name: 'help', help: '' }])
  if (args.has('help')) context.out.write(commandHelp(context.out, command))
  else await command.run(args, context)
}

function runWithoutCommand(name: string | undefined, context: CliContext): void {
  if (name === '--version') context.out.write(`${context.version}\n`)
  else if (name === '--help' || name === 'help') context.out.write(generalHelp(context.out, COMMANDS))
  else throw new UsageError(name === undefined ? 'a command is missing' : `there is no command "${name}"`)
}

function stopped({ err }: CliContext): number {
  err.write(`${paint(err, 'yellow', 'stopped')}\n`)
  return exitCodes.interrupted
}

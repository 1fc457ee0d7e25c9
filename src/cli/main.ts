import { NVLMError } from '../core/errors.js'
import { Args, UsageError } from './args.js'
import { ask } from './ask.js'
import { cache } from './cache.js'
import type { Command, CommandContext } from './command.js'
import { demo } from './demo.js'
import { commandHelp, generalHelp } from './help.js'
import { inspect } from './inspect.js'
import { paint, printable } from './output.js'
import { prepare } from './prepare.js'
import { pull } from './pull.js'
import { tiles } from './tiles.js'
import { verify } from './verify.js'

/** What `nvlm` exits with. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const

const COMMANDS: readonly Command[] = [ask, pull, prepare, inspect, verify, tiles, cache, demo]

/** What surrounds a run of the command line. */
export interface CliContext extends CommandContext {
  readonly version: string
  /** Show stacks of errors. */
  readonly isDebug: boolean
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
    return context.signal.aborted ? stopped(context) : exitCodes.ok
  } catch (error) {
    return context.signal.aborted ? stopped(context) : report(error, command, context)
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

function report(error: unknown, command: Command | undefined, { err, isDebug }: CliContext): number {
  const message = error instanceof Error ? error.message : String(error)
  err.write(`${paint(err, 'red', 'error')}: ${printable(err, message)}\n`)
  const hint = hintOf(error, command)
  if (hint) err.write(`${paint(err, 'cyan', 'hint')}: ${printable(err, hint)}\n`)
  if (isDebug) writeStack(error, err)
  return isUsage(error) ? exitCodes.usage : exitCodes.failed
}

function hintOf(error: unknown, command: Command | undefined): string | undefined {
  const help = `Run \`nvlm ${command ? `${command.name} ` : ''}--help\`.`
  if (NVLMError.isInstance(error)) return error.hint ?? (isUsage(error) ? help : undefined)
  if (isUsage(error)) return help
  if (isSystemError(error)) return undefined
  return 'This looks like a bug in nvlm-ts; NVLM_DEBUG=1 shows where it happened.'
}

function isUsage(error: unknown): boolean {
  return error instanceof UsageError || (NVLMError.isInstance(error) && error.code === 'INVALID_OPTION')
}

/** Did the operating system refuse something, such as a write? Its message names the path and reason. */
function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

function writeStack(error: unknown, err: CommandContext['err']): void {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    err.write(`${paint(err, 'dim', cause.stack ?? cause.message)}\n`)
  }
}

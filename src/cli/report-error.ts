import { NVLMError } from '../core/errors.js'
import { UsageError } from './args.js'
import { type Output, paint, printable } from './output.js'

/**
 * Say what went wrong and what to do about it.
 *
 * @param usageHint - where it is told what can be asked for
 * @param isDebug - show the stacks of the error and its causes
 */
export function reportError(error: unknown, err: Output, usageHint: string, isDebug: boolean): void {
  const message = error instanceof Error ? error.message : String(error)
  err.write(`${paint(err, 'red', 'error')}: ${printable(err, message)}\n`)
  const hint = hintOf(error, usageHint)
  if (hint) err.write(`${paint(err, 'cyan', 'hint')}: ${printable(err, hint)}\n`)
  if (isDebug) writeStack(error, err)
}

/** Is it about what was asked for? */
export function isUsageError(error: unknown): boolean {
  return error instanceof UsageError || (NVLMError.isInstance(error) && error.code === 'INVALID_OPTION')
}

/** Did the operating system refuse something, such as a write? Its message names the path and reason. */
export function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error
}

function hintOf(error: unknown, usageHint: string): string | undefined {
  if (NVLMError.isInstance(error)) return error.hint ?? (isUsageError(error) ? usageHint : undefined)
  if (error instanceof UsageError) return error.hint ?? usageHint
  if (isSystemError(error)) return undefined
  return 'This looks like a bug in nvlm-ts; NVLM_DEBUG=1 shows where it happened.'
}

function writeStack(error: unknown, err: Output): void {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    err.write(`${paint(err, 'dim', cause.stack ?? cause.message)}\n`)
  }
}

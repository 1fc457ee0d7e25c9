import * as z from 'zod'

/** Where the library writes what it would otherwise keep to itself; `console` fits. */
export interface Logger {
  debug(message: string, details?: object): void
  info(message: string, details?: object): void
  warn(message: string, details?: object): void
  error(message: string, details?: object): void
}

/** A logger among options. */
export const loggerSchema = z.custom<Logger>(
  value =>
    typeof value === 'object' &&
    value !== null &&
    ['debug', 'info', 'warn', 'error'].every(
      level => typeof (value as Record<string, unknown>)[level] === 'function',
    ),
  'expected a logger: { debug, info, warn, error }',
)

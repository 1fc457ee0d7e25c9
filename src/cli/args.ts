import { parseArgs } from 'node:util'
import type { Flag } from './command.js'

/** A command line that makes no sense; shown without a stack, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  /** What to do, where the command's help is not the answer. */
  readonly hint: string | undefined

  constructor(message: string, options: ErrorOptions & { readonly hint?: string } = {}) {
    super(message, options)
    this.hint = options.hint
  }
}

/** The arguments of one command, checked against its flags. */
export class Args {
  private constructor(
    readonly operands: readonly string[],
    private readonly values: Readonly<Record<string, string | boolean | undefined>>,
  ) {}

  /** @throws {UsageError} for an unknown flag, a value that is missing or one too many */
  static parse(argv: readonly string[], flags: readonly Flag[]): Args {
    const options = Object.fromEntries(
      flags.map(flag => [flag.name, { type: flag.value ? ('string' as const) : ('boolean' as const) }]),
    )
    try {
      const parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
      return new Args(parsed.positionals, parsed.values as Record<string, string | boolean | undefined>)
    } catch (cause) {
      throw new UsageError(firstSentence(cause), { cause })
    }
  }

  /** Was the switch given? */
  has(name: string): boolean {
    return this.values[name] === true
  }

  text(name: string): string | undefined {
    const value = this.values[name]
    return typeof value === 'string' ? value : undefined
  }

  /** A finite number. @throws {UsageError} if it is none */
  number(name: string): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = Number(text)
    if (text.trim() === '' || !Number.isFinite(value)) {
      throw new UsageError(`--${name} takes a number, got "${text}"`)
    }
    return value
  }

  /** The operand of a command that takes one or none. @throws {UsageError} if there are more */
  optional(what: string): string | undefined {
    return this.operands.length === 0 ? undefined : this.only(what)
  }

  /** The one operand of a command that takes one. @throws {UsageError} if there are none or more */
  only(what: string): string {
    const [operand, ...more] = this.operands
    if (operand === undefined) throw new UsageError(`${what} is missing`)
    if (more.length > 0) throw new UsageError(`one ${what} expected, got ${this.operands.length}`)
    return operand
  }
}

/** Node's message goes on about `--` and positional arguments; the first sentence says what is wrong. */
function firstSentence(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause)
  return message.split(/\. |\n/)[0]!
}

import * as z from 'zod'
import { NVLMError } from '../core/errors.js'

/**
 * Check options against a strict schema.
 *
 * @param name - what the options belong to, such as `generate`
 * @throws {NVLMError} INVALID_OPTION naming the first wrong option, its value's trouble and the names that exist
 */
export function checkOptions<Schema extends z.ZodType>(
  schema: Schema,
  options: unknown,
  name: string,
): z.output<Schema> {
  const parsed = schema.safeParse(options)
  if (parsed.success) return parsed.data
  const issue = deepestIssue(parsed.error.issues[0])
  throw new NVLMError('INVALID_OPTION', `${name}: ${describeIssue(issue)}`, {
    hint: issue?.code === 'unrecognized_keys' ? knownNames(schema, issue.path) : undefined,
    cause: parsed.error,
  })
}

/** Of a value that fits no alternative, what is wrong inside the alternative that it comes nearest to. */
function deepestIssue(issue: z.core.$ZodIssue | undefined): z.core.$ZodIssue | undefined {
  if (issue?.code !== 'invalid_union') return issue
  const inner = issue.errors.flat().filter(({ path }) => path.length > 0)
  const deepest = inner.sort((a, b) => b.path.length - a.path.length)[0]
  return deepest ? deepestIssue({ ...deepest, path: [...issue.path, ...deepest.path] }) : issue
}

function describeIssue(issue: z.core.$ZodIssue | undefined): string {
  if (!issue) return 'the options are not valid'
  const path = issue.path.map(String).join('.')
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map(key => `"${[path, key].filter(Boolean).join('.')}"`)
    return `unknown option ${names.join(', ')}`
  }
  return path === '' ? issue.message : `option "${path}": ${issue.message}`
}

function knownNames(schema: z.ZodType, path: readonly PropertyKey[]): string | undefined {
  if (path.length > 0 || !(schema instanceof z.ZodObject)) return undefined
  return `Options are ${Object.keys(schema.shape).join(', ')}.`
}

/** An AbortSignal, of any realm. */
export const abortSignalSchema = z.custom<AbortSignal>(
  value =>
    typeof value === 'object' &&
    value !== null &&
    typeof (value as AbortSignal).aborted === 'boolean' &&
    typeof (value as AbortSignal).addEventListener === 'function',
  'expected an AbortSignal',
)

/** A function, such as a listener. */
export const functionSchema = z.custom<(...args: never) => unknown>(
  value => typeof value === 'function',
  'expected a function',
)

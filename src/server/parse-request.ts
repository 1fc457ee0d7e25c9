import * as z from 'zod'
import { ApiError } from './api-error.js'

/**
 * Check a request's body against a strict schema.
 *
 * @throws {ApiError} 400 naming the first wrong field
 */
export function parseRequest<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body)
  if (parsed.success) return parsed.data
  const issue = nearestIssue(parsed.error.issues[0]!)
  const path = describePath(issue.path)
  if (issue.code === 'unrecognized_keys') {
    const param = [path, issue.keys[0]].filter(Boolean).join('.')
    throw new ApiError(400, `Unknown field "${param}".`, { param, code: 'unknown_parameter' })
  }
  const code = issue.code === 'custom' && issue.params?.code
  throw new ApiError(400, path === '' ? `The body: ${issue.message}.` : `"${path}": ${issue.message}.`, {
    param: path === '' ? undefined : path,
    code: typeof code === 'string' ? code : 'invalid_value',
  })
}

/** Of a value that fits no alternative, what is wrong inside the alternative that it comes nearest to. */
function nearestIssue(issue: z.core.$ZodIssue): z.core.$ZodIssue {
  if (issue.code !== 'invalid_union') return issue
  const inner = issue.errors.flat().filter(({ path }) => path.length > 0)
  const deepest = inner.sort((a, b) => b.path.length - a.path.length)[0]
  return deepest ? nearestIssue({ ...deepest, path: [...issue.path, ...deepest.path] }) : issue
}

/** `messages[0].content`, as OpenAI writes it. */
function describePath(path: readonly PropertyKey[]): string {
  return path
    .map(part => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('')
    .replace(/^\./, '')
}

/** The value, or undefined where it is null or absent, which mean the same in OpenAI's requests. */
export function optional<Schema extends z.ZodType>(schema: Schema) {
  return schema.nullish().transform(value => value ?? undefined)
}

/**
 * A field of OpenAI's requests that asks for what this server can't do; `null` and the values that ask for nothing pass.
 *
 * @param why - what is missing, or what to use instead
 */
export function refused(why: string, ...harmless: readonly unknown[]) {
  return z
    .unknown()
    .refine(value => value === undefined || value === null || harmless.some(same => isSame(value, same)), {
      error: why,
      params: { code: 'unsupported_parameter' },
    })
    .optional()
}

function isSame(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right)
}

/** A text. */
export const text = z.string('expected a string')

/** True or false. */
export const flag = z.boolean('expected true or false')

/** A number within bounds. */
export function range(min: number, max: number) {
  const problem = `expected a number from ${min} to ${max}`
  return z.number(problem).min(min, problem).max(max, problem)
}

/** An integer within bounds. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER) {
  const problem =
    max === Number.MAX_SAFE_INTEGER
      ? `expected an integer of ${min} or more`
      : `expected an integer from ${min} to ${max}`
  return z.int(problem).min(min, problem).max(max, problem)
}

/** Takes white space off both ends of a text that comes in pieces. */
export interface StripFilter {
  /** Take text; white space comes out as soon as text follows it, at the start and at the end never. */
  push(text: string): string
}

/**
 * Python's `str.strip()` for a stream: all pieces that come out, joined, equal the stripped whole.
 *
 * The official `chat()` strips every answer.
 */
export function createStripFilter(): StripFilter {
  let hasBegun = false
  let held = ''
  return {
    push(text) {
      const pending = held + text
      const start = hasBegun ? 0 : countLeadingSpace(pending)
      const end = Math.max(start, pending.length - countTrailingSpace(pending))
      hasBegun ||= end > start
      held = hasBegun ? pending.slice(end) : ''
      return pending.slice(start, end)
    },
  }
}

function countLeadingSpace(text: string): number {
  let count = 0
  while (count < text.length && isPythonSpace(text.charCodeAt(count))) count++
  return count
}

function countTrailingSpace(text: string): number {
  let count = 0
  while (count < text.length && isPythonSpace(text.charCodeAt(text.length - 1 - count))) count++
  return count
}

/** White space of Python's `str.isspace()`: unlike JavaScript's with U+001C..U+001F and U+0085, without U+FEFF. */
function isPythonSpace(code: number): boolean {
  if (code < 0x80) return (code >= 0x09 && code <= 0x0d) || (code >= 0x1c && code <= 0x20)
  return WIDE_SPACES.has(code) || (code >= 0x2000 && code <= 0x200a)
}

const WIDE_SPACES: ReadonlySet<number> = new Set([0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000])

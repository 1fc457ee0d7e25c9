/** Lets text through until a stop string is complete. */
export interface StopFilter {
  /** Has a stop string been completed? From then on nothing comes out. */
  readonly isStopped: boolean
  /** Take text; gives what can no longer become part of a stop string. */
  push(text: string): string
  /** At the end of the text: gives what was held back. */
  flush(): string
}

/**
 * Cut text before the first stop string, however the text is cut into pieces.
 *
 * The stop string that is complete first counts; of those complete at the same character the longest.
 *
 * @param stopStrings - not empty ones
 */
export function createStopFilter(stopStrings: readonly string[]): StopFilter {
  let held = ''
  let isStopped = false
  return {
    get isStopped() {
      return isStopped
    },
    push(text) {
      if (isStopped) return ''
      const pending = held + text
      const cut = findStop(pending, stopStrings)
      isStopped = cut !== undefined
      const end = cut ?? pending.length - heldLength(pending, stopStrings)
      held = isStopped ? '' : pending.slice(end)
      return pending.slice(0, end)
    },
    flush() {
      const rest = held
      held = ''
      return rest
    },
  }
}

/** Where the stop string that ends first begins. */
function findStop(text: string, stopStrings: readonly string[]): number | undefined {
  let best: { start: number; end: number } | undefined
  for (const stopString of stopStrings) {
    const start = text.indexOf(stopString)
    if (start < 0) continue
    const end = start + stopString.length
    if (!best || end < best.end || (end === best.end && start < best.start)) best = { start, end }
  }
  return best?.start
}

/** Length of the longest end of `text` that a stop string begins with. */
function heldLength(text: string, stopStrings: readonly string[]): number {
  let longest = 0
  for (const stopString of stopStrings) {
    let length = Math.min(stopString.length - 1, text.length)
    while (length > longest && !stopString.startsWith(text.slice(-length))) length--
    longest = Math.max(longest, length)
  }
  return longest
}

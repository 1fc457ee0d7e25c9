/**
 * Wait for work, but no longer than until the signal aborts: for work that can't be stopped, or may not listen.
 *
 * What becomes of it after an abort is nobody's business any more; a failure of it is not reported.
 *
 * @throws what the work throws; the signal's reason once it has aborted
 */
export async function untilAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  if (signal === undefined) return work
  let onAbort = () => {}
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    // of two that have settled already the first one wins
    const result = await Promise.race([aborted, work])
    signal.throwIfAborted()
    return result
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

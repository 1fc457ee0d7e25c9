/**
 * A signal that aborts when any of `signals` does, with its reason.
 *
 * `AbortSignal.any` does the same but leaves traces on long-lived signals (nodejs/node#54614); `unlink` leaves none.
 */
export function linkSignals(...signals: readonly AbortSignal[]): {
  readonly signal: AbortSignal
  readonly unlink: () => void
} {
  const controller = new AbortController()
  const links = signals.map(source => {
    const onAbort = () => controller.abort(source.reason)
    if (source.aborted) onAbort()
    else source.addEventListener('abort', onAbort, { once: true })
    return () => source.removeEventListener('abort', onAbort)
  })
  return {
    signal: controller.signal,
    unlink: () => {
      for (const unlink of links) unlink()
    },
  }
}

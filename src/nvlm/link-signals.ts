/** What waits for each signal: one listener a signal, however many runs share it, since Node warns of a leak beyond ten. */
const waiting = new WeakMap<AbortSignal, Listener>()

interface Listener {
  readonly works: Set<() => void>
  stop(): void
}

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
  const links = signals.map(source => onAbort(source, () => controller.abort(source.reason)))
  return {
    signal: controller.signal,
    unlink: () => {
      for (const unlink of links) unlink()
    },
  }
}

/** Call `work` once when the signal aborts, or now if it has; returns how to call it off. */
function onAbort(source: AbortSignal, work: () => void): () => void {
  if (source.aborted) {
    work()
    return () => {}
  }
  const shared = waiting.get(source) ?? listen(source)
  shared.works.add(work)
  return () => {
    shared.works.delete(work)
    if (shared.works.size === 0) shared.stop()
  }
}

function listen(source: AbortSignal): Listener {
  const works = new Set<() => void>()
  const onAbort = () => {
    for (const work of works) work()
  }
  const stop = () => {
    source.removeEventListener('abort', onAbort)
    waiting.delete(source)
  }
  source.addEventListener('abort', onAbort, { once: true })
  const listener = { works, stop }
  waiting.set(source, listener)
  return listener
}

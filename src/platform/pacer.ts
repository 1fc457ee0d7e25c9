/** Longest stretch of work between two turns of the event loop, in milliseconds. */
const SLICE_MS = 24

/** Called between pieces of work: rejects with the signal's reason once aborted, and lets the event loop turn now and then. */
export type Pause = () => Promise<void>

/** Make the pauses of one job. */
export function createPacer(signal: AbortSignal | undefined): Pause {
  let sliceStart = performance.now()
  return async () => {
    signal?.throwIfAborted()
    if (performance.now() - sliceStart < SLICE_MS) return
    await new Promise<void>(resolve => setTimeout(resolve, 0))
    signal?.throwIfAborted()
    sliceStart = performance.now()
  }
}

/** Run work that comes in steps to its end, with a pause after each step. */
export async function runPaced<Result>(
  steps: Generator<undefined, Result, undefined>,
  pause: Pause,
): Promise<Result> {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    await pause()
  }
}

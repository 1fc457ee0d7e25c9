import type { Backend, Session } from '../../backend/backend.js'

/**
 * Two words that host and worker share: is the process about to exit, and how many native calls are under way.
 *
 * A process that exits ends its threads. ONNX Runtime aborts the whole process (exit code 134) when its thread ends
 * inside a call, so `process.exit()` has to wait for the call, and no new one may begin.
 */
export type ExitFlags = Int32Array<SharedArrayBuffer>

const EXITING = 0
const NUM_CALLS = 1

/** Longest time that an exit waits for one call. */
const MAX_DELAY_MS = 10_000

const watched = new Set<ExitFlags>()

export function createExitFlags(): ExitFlags {
  return new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))
}

/**
 * Host: let the process exit only between the worker's native calls.
 *
 * @returns stops watching, for when the worker has ended
 */
export function delayExit(flags: ExitFlags): () => void {
  if (watched.size === 0) process.on('exit', waitForCalls)
  watched.add(flags)
  return () => {
    watched.delete(flags)
    if (watched.size === 0) process.off('exit', waitForCalls)
  }
}

/** Worker: count the native calls of a backend, and begin none when the process is about to exit. */
export function guardBackend(backend: Backend, flags: ExitFlags): Backend {
  return {
    name: backend.name,
    devices: backend.devices,
    createSession: async (graph, options) =>
      guardSession(await guarded(flags, () => backend.createSession(graph, options)), flags),
  }
}

function guardSession(session: Session, flags: ExitFlags): Session {
  return {
    inputNames: session.inputNames,
    outputNames: session.outputNames,
    refusesEmpty: session.refusesEmpty,
    memory: session.memory,
    run: feeds => guarded(flags, () => session.run(feeds)),
    dispose: () => guarded(flags, () => session.dispose()),
  }
}

async function guarded<T>(flags: ExitFlags, call: () => Promise<T>): Promise<T> {
  Atomics.add(flags, NUM_CALLS, 1)
  try {
    // the host sets its word before it reads ours, so at least one side sees the other
    if (Atomics.load(flags, EXITING) === 1) sleepUntilTheEnd(flags)
    return await call()
  } finally {
    leave(flags)
  }
}

function leave(flags: ExitFlags): void {
  Atomics.sub(flags, NUM_CALLS, 1)
  Atomics.notify(flags, NUM_CALLS)
}

function sleepUntilTheEnd(flags: ExitFlags): void {
  leave(flags)
  Atomics.wait(flags, EXITING, 1)
}

function waitForCalls(): void {
  for (const flags of watched) Atomics.store(flags, EXITING, 1)
  const deadline = performance.now() + MAX_DELAY_MS
  for (const flags of watched) {
    let numCalls = Atomics.load(flags, NUM_CALLS)
    while (numCalls > 0 && performance.now() < deadline) {
      Atomics.wait(flags, NUM_CALLS, numCalls, deadline - performance.now())
      numCalls = Atomics.load(flags, NUM_CALLS)
    }
  }
}

import { mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { StoreLock } from '../../blob-store.js'
import { failWriting } from '../fail-writing.js'
import { processMark, stateOfMark } from './process-mark.js'

/** The owner touches its lock so often. */
const HEARTBEAT_MS = 5000
/** A lock that was not touched for so long has no owner any more. */
const STALE_MS = 60_000
/** How often a lock is looked at that another process has. */
const POLL_MS = 200

/**
 * Wait for a lock file.
 *
 * Node has no locks of the operating system, so this one is advice, and nothing relies on it but the saving of
 * double work: each process writes files of its own, and renames them when they are whole. A lock is taken over when
 * its process is gone, or when it was not touched for a minute.
 *
 * @throws {NVLMError} OUTPUT_FAILED if it cannot be made; the signal's reason on abort
 */
export async function acquireFileLock(
  path: string,
  {
    signal,
    onWait,
  }: { readonly signal?: AbortSignal | undefined; readonly onWait?: (() => Promise<void>) | undefined },
): Promise<StoreLock> {
  const mark = processMark()
  await mkdir(dirname(path), { recursive: true }).catch(cause => failWriting(dirname(path), cause))
  for (;;) {
    signal?.throwIfAborted()
    if (await tryLock(path, mark)) return new HeldLock(path, mark)
    if (await isStale(path)) await breakLock(path, mark)
    else {
      await onWait?.()
      // an abort is seen at the top of the loop, with its own reason
      await sleep(POLL_MS, undefined, { signal }).catch(() => {})
    }
  }
}

async function tryLock(path: string, mark: string): Promise<boolean> {
  try {
    const handle = await open(path, 'wx')
    await handle.writeFile(mark).finally(() => handle.close())
    return true
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') return false
    return failWriting(path, cause)
  }
}

async function isStale(path: string): Promise<boolean> {
  const [owner, info] = await Promise.all([
    readFile(path, 'utf8').catch(() => undefined),
    stat(path).catch(() => undefined),
  ])
  // it was released between two looks
  if (owner === undefined || info === undefined) return false
  return stateOfMark(owner) === 'gone' || Date.now() - info.mtimeMs > STALE_MS
}

/** A rename decides which of several processes breaks it. */
async function breakLock(path: string, mark: string): Promise<void> {
  const broken = `${path}.${mark}`
  await rename(path, broken).then(
    () => rm(broken, { force: true }),
    () => {},
  )
}

class HeldLock implements StoreLock {
  private readonly heartbeat: NodeJS.Timeout

  constructor(
    private readonly path: string,
    private readonly mark: string,
  ) {
    this.heartbeat = setInterval(() => {
      const now = new Date()
      utimes(path, now, now).catch(() => {})
    }, HEARTBEAT_MS)
    this.heartbeat.unref()
  }

  async release(): Promise<void> {
    clearInterval(this.heartbeat)
    const owner = await readFile(this.path, 'utf8').catch(() => undefined)
    // it may have been taken over while this process slept
    if (owner === this.mark) await rm(this.path, { force: true })
  }
}

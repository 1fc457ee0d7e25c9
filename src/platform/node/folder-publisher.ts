import { lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { NVLMError } from '../../core/errors.js'
import type { FolderPublisher, FolderWriter } from '../platform.js'

/** Publishes folders by writing a hidden neighbour and renaming it. */
export const nodeFolderPublisher: FolderPublisher = { publish }

async function publish(path: string, fill: (writer: FolderWriter) => Promise<void>): Promise<void> {
  const target = resolve(path)
  const parent = dirname(target)
  await refuseExisting(target)
  await mkdir(parent, { recursive: true }).catch(cause => failWriting(parent, cause))
  await removeRemains(parent, basename(target))
  const draft = join(parent, `${draftPrefix(basename(target))}${process.pid}-${Date.now().toString(36)}`)
  await mkdir(draft).catch(cause => failWriting(draft, cause))
  try {
    await fill({ write: (name, bytes) => writeDurably(join(draft, name), bytes) })
    await syncFolder(draft)
    await refuseExisting(target)
    await rename(draft, target).catch(cause => failWriting(target, cause))
    await syncFolder(parent)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    throw error
  }
}

function draftPrefix(name: string): string {
  return `.${name}.draft-`
}

async function refuseExisting(target: string): Promise<void> {
  const exists = await lstat(target).then(
    () => true,
    () => false,
  )
  if (!exists) return
  throw new NVLMError('OUTPUT_EXISTS', `${target}: exists already; it is not overwritten`, {
    hint: 'Choose another folder, or remove this one first. A folder that is loaded must not change.',
  })
}

/** Remove drafts whose process is gone. */
async function removeRemains(parent: string, name: string): Promise<void> {
  const prefix = draftPrefix(name)
  for (const entry of await readdir(parent)) {
    if (!entry.startsWith(prefix)) continue
    const pid = Number.parseInt(entry.slice(prefix.length), 10)
    if (!isAlive(pid)) await rm(join(parent, entry), { recursive: true, force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it is there and belongs to somebody else
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** Files are read-only from the start: a loaded model maps them. */
async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  try {
    const handle = await open(path, 'wx', 0o444)
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    failWriting(path, cause)
  }
}

async function syncFolder(path: string): Promise<void> {
  // Windows cannot open folders, and keeps their entries by itself
  if (process.platform === 'win32') return
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function failWriting(path: string, cause: unknown): never {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
  throw new NVLMError('OUTPUT_FAILED', `${path}: cannot be written (${code})`, {
    hint: 'Check the free space and the permissions of the folder.',
    cause,
  })
}

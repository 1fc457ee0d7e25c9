import { constants } from 'node:fs'
import {
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  statfs,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import type { BlobAlgorithm, BlobSpec, BlobStore, PartialBlob } from '../../blob-store.js'
import { type ByteRange, ByteRanges } from '../../byte-ranges.js'
import type { HashOptions } from '../../platform.js'
import { failWriting } from '../fail-writing.js'
import { nodeFiles } from '../files.js'
import { createBlobHash } from './blob-hash.js'
import { acquireFileLock } from './file-lock.js'
import { NodePartialBlob, type WriteBytes } from './partial-blob.js'
import { type JournalState, parseJournal } from './partial-journal.js'
import { processMark, stateOfMark } from './process-mark.js'

/** What tests put in the place of system calls. */
export interface BlobStoreCalls {
  readonly write: WriteBytes
  readonly symlink: (target: string, path: string) => Promise<void>
  readonly freeBytes: (folder: string) => Promise<number>
}

const HASH_PIECE_BYTES = 1 << 20

const JOURNAL_SUFFIX = '.ranges'

/** What another machine left, and nobody wrote to for so long, is nobody's. */
const FORGOTTEN_MS = 3_600_000

/** What systems, file systems and users without symbolic links say. */
const LINK_REFUSALS = new Set(['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'])

/** Partial files that this process has open. */
const active = new Set<string>()

const systemCalls: BlobStoreCalls = { write: writeAll, symlink, freeBytes }

/** The model cache's disk, through `node:fs`. */
export function nodeBlobStore(calls: Partial<BlobStoreCalls> = {}): BlobStore {
  const used = { ...systemCalls, ...calls }
  return {
    lock: acquireFileLock,
    freeBytes: used.freeBytes,
    receivedBytes: async (folder, blob) => {
      const [largest] = await findRemains(folder, blob)
      return largest?.numBytes ?? 0
    },
    openPartial: (folder, blob) => openPartial(folder, blob, used.write),
    sweep,
    place: (blobPath, path) => place(blobPath, path, used.symlink),
    writeText,
    remove: path => rm(path, { recursive: true, force: true }).catch(cause => failWriting(path, cause)),
    hash: hashFile,
  }
}

async function openPartial(folder: string, blob: BlobSpec, write: WriteBytes): Promise<PartialBlob> {
  const path = join(folder, `${blob.hex}.${processMark()}.incomplete`)
  const journalPath = path + JOURNAL_SUFFIX
  active.add(path)
  try {
    await mkdir(folder, { recursive: true })
    const [largest, ...others] = await findRemains(folder, blob)
    for (const { path } of others) await removePartial(path)
    // a rename decides which of several processes gets it; its journal follows
    const isMine =
      largest !== undefined &&
      (await rename(largest.path, path).then(
        () => true,
        () => false,
      ))
    if (isMine) await rename(largest.path + JOURNAL_SUFFIX, journalPath).catch(() => {})
    const data = await open(path, constants.O_RDWR | constants.O_CREAT, 0o644)
    const found = isMine ? await readRemains(path, blob.size) : NOTHING
    const journal = await open(journalPath, 'a')
    const onClose = () => active.delete(path)
    const target = join(folder, blob.hex)
    return new NodePartialBlob(blob, { path, journalPath, data, journal, write, target, onClose }, found)
  } catch (cause) {
    active.delete(path)
    return failWriting(path, cause)
  }
}

/** Nothing of a blob was received. */
const NOTHING: JournalState = { ranges: [], etag: undefined }

/** What processes that are gone have received of a blob, the most first. */
async function findRemains(folder: string, { hex, size }: BlobSpec) {
  const names = await readdir(folder).catch(() => [])
  const remains: { readonly path: string; readonly numBytes: number }[] = []
  for (const name of names) {
    const [, mark] = name.startsWith(`${hex}.`) ? (/^[0-9a-f]+\.(.+)\.incomplete$/.exec(name) ?? []) : []
    const path = join(folder, name)
    if (mark === undefined || !(await isLeft(path, mark))) continue
    const { ranges } = await readRemains(path, size)
    remains.push({ path, numBytes: new ByteRanges(ranges).numBytes })
  }
  return remains.sort((a, b) => b.numBytes - a.numBytes)
}

/** A kill in the last moment leaves a journal without its file, or a second copy on its way. */
async function sweep(folder: string, blobs: readonly BlobSpec[]): Promise<void> {
  const complete = new Set(blobs.map(({ hex }) => hex))
  for (const name of await readdir(folder).catch(() => [])) {
    const [, hex, mark] = /^([0-9a-f]+)\.(.+)\.incomplete(?:\.ranges)?$/.exec(name) ?? []
    if (hex === undefined || mark === undefined || !complete.has(hex)) continue
    const path = join(folder, `${hex}.${mark}.incomplete`)
    if (await isLeft(path, mark)) await removePartial(path).catch(cause => failWriting(path, cause))
  }
}

async function removePartial(path: string): Promise<void> {
  for (const name of [path, path + JOURNAL_SUFFIX]) await rm(name, { force: true })
}

async function isLeft(path: string, mark: string): Promise<boolean> {
  const state = stateOfMark(mark)
  if (state === 'own') return !active.has(path)
  if (state !== 'elsewhere') return state === 'gone'
  const info = await stat(path).catch(() => undefined)
  return info !== undefined && Date.now() - info.mtimeMs > FORGOTTEN_MS
}

/** What a journal says, as far as the file is long enough: after a power cut it may not be. */
async function readRemains(path: string, size: number): Promise<JournalState> {
  const text = await readFile(path + JOURNAL_SUFFIX, 'utf8').catch(() => '')
  const length = await stat(path).then(
    info => info.size,
    () => 0,
  )
  const { ranges, etag } = parseJournal(text, size)
  const clipped = ranges.map(({ start, end }): ByteRange => ({ start, end: Math.min(end, length) }))
  return { ranges: new ByteRanges(clipped).list, etag }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.byteLength - done, offset + done)
    done += bytesWritten
  }
}

async function place(blobPath: string, path: string, makeLink: BlobStoreCalls['symlink']): Promise<void> {
  const target = relative(dirname(path), blobPath).split(sep).join('/')
  const draft = `${path}.${processMark()}.link`
  try {
    await mkdir(dirname(path), { recursive: true })
    const isLinked = await makeLink(target, draft).then(
      () => true,
      cause => {
        if (!LINK_REFUSALS.has(codeOf(cause))) throw cause
        return false
      },
    )
    // Python's library moves the blob as well where there are no links
    await rename(isLinked ? draft : blobPath, path)
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => {})
    failWriting(path, cause)
  }
}

async function writeText(path: string, text: string): Promise<void> {
  const draft = `${path}.${processMark()}.draft`
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(draft, text)
    await rename(draft, path)
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => {})
    failWriting(path, cause)
  }
}

async function freeBytes(folder: string): Promise<number> {
  for (let path = folder; ; path = dirname(path)) {
    const info = await statfs(path).catch(() => undefined)
    if (info !== undefined) return info.bavail * info.bsize
    if (dirname(path) === path) return Number.POSITIVE_INFINITY
  }
}

async function hashFile(path: string, algorithm: BlobAlgorithm, options: HashOptions = {}): Promise<string> {
  if (algorithm === 'sha256') return nodeFiles.sha256(path, options)
  const file = await nodeFiles.open(path)
  try {
    const hash = createBlobHash(algorithm, file.size)
    for (let offset = 0; offset < file.size; offset += HASH_PIECE_BYTES) {
      options.signal?.throwIfAborted()
      const piece = await file.read(offset, Math.min(HASH_PIECE_BYTES, file.size - offset))
      hash.update(piece)
      options.onBytes?.(piece.byteLength)
    }
    return hash.digest('hex')
  } finally {
    await file.close()
  }
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
}

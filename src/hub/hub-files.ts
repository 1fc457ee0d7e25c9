import { NVLMError } from '../core/errors.js'
import { quoted } from '../formats/file-name.js'
import type { FileInfo, Files, RandomAccessFile } from '../platform/platform.js'
import { type HubClient, readWhole } from './hub-client.js'
import type { HubName } from './hub-name.js'
import type { RepoFile, RepoListing } from './repo-listing.js'
import { withRetries } from './retry.js'
import { TransientFailure } from './transient-failure.js'

/** What is read of a file at the first touch: the header of a weight file and its length, in one request. */
const READ_AHEAD_BYTES = 256 << 10

/**
 * The files of a repository on the hub as if they were in a folder, read over the network piece by piece. Nothing is
 * kept on the disk, and nothing is checked against hashes: it is for looking, not for running.
 *
 * @param folder - path that stands for the repository
 */
export function hubFiles(
  client: HubClient,
  name: HubName,
  listing: RepoListing,
  options: { readonly folder: string; readonly signal?: AbortSignal | undefined },
): Files {
  const { folder, signal } = options
  const find = (path: string) => {
    return path.startsWith(`${folder}/`) ? listing.files.get(path.slice(folder.length + 1)) : undefined
  }
  const require = (path: string) => {
    const file = find(path)
    if (file) return file
    throw new NVLMError('MODEL_NOT_FOUND', `${path}: does not exist on the hub`)
  }
  const read = (file: RepoFile, start: number, end: number) => {
    return readRange(client, name, listing.commit, file, { start, end }, signal)
  }
  return {
    join: (...parts) => parts.join('/'),
    relative: (_, to) => to,
    resolve: path => path,
    realPath: async path => path,
    stat: async path => describe(path === folder ? 'folder' : find(path)),
    list: async () => [...listing.files.keys()].filter(path => !path.includes('/')).sort(),
    read: async (path, maxBytes) => {
      const file = require(path)
      if (file.blob.size > maxBytes) {
        throw new NVLMError(
          'MODEL_INVALID',
          `${path}: has ${file.blob.size} bytes, at most ${maxBytes} are accepted`,
        )
      }
      return read(file, 0, file.blob.size)
    },
    open: async path => openRemote(path, require(path), read),
    sha256: async path => {
      const { blob } = require(path)
      if (blob.algorithm === 'sha256') return blob.hex
      throw new NVLMError('UNSUPPORTED', `${path}: the hub names no SHA-256 of it`)
    },
  }
}

function describe(file: RepoFile | 'folder' | undefined): FileInfo | undefined {
  if (file === undefined) return undefined
  if (file === 'folder') return { kind: 'directory', size: 0, modified: 0, numNames: 1 }
  return { kind: 'file', size: file.blob.size, modified: 0, numNames: 1 }
}

function openRemote(
  path: string,
  file: RepoFile,
  read: (file: RepoFile, start: number, end: number) => Promise<Uint8Array>,
): RandomAccessFile {
  const { size } = file.blob
  let head: Promise<Uint8Array> | undefined
  return {
    path,
    size,
    read: async (offset, length) => {
      const end = offset + length
      if (end > size)
        throw new NVLMError('MODEL_INVALID', `${path}: bytes ${offset} to ${end} wanted, file has ${size}`)
      if (end > READ_AHEAD_BYTES) return read(file, offset, end)
      head ??= read(file, 0, Math.min(size, READ_AHEAD_BYTES))
      return (await head).slice(offset, end)
    },
    close: async () => {},
  }
}

/** Fetch some bytes of a file. */
async function readRange(
  client: HubClient,
  name: HubName,
  commit: string,
  { path, blob }: RepoFile,
  { start, end }: { readonly start: number; readonly end: number },
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  if (end === start) return new Uint8Array()
  const what = `${name}: ${path}`
  const isPart = end - start < blob.size
  const headers = isPart ? { range: `bytes=${start}-${end - 1}` } : {}
  return withRetries(client.retries(what), signal, async () => {
    const answer = await client.open(client.url(...name.split('/'), 'resolve', commit, path), {
      what,
      headers,
      signal,
    })
    if (isPart && answer.response.status !== 206) {
      answer.end()
      throw new NVLMError('DOWNLOAD_FAILED', `${what}: the server does not send parts of files`, {
        hint: 'Download the whole model and look into its folder.',
      })
    }
    const bytes = await readWhole(answer, what, end - start)
    if (bytes.byteLength === end - start) return bytes
    throw new TransientFailure(`${bytes.byteLength} of ${end - start} bytes of ${quoted(path)} came`)
  })
}

import { FileDownload, type FileDownloadContext } from './file-download.js'
import type { RepoFile } from './repo-listing.js'

/** Connections at the same time, over all files; what Python's library uses. */
export const NUM_CONNECTIONS = 8

/**
 * Fetch files over several connections, small ones first: what is wrong with a model shows early.
 *
 * After a failure, or an abort, what has come is kept.
 *
 * @throws {NVLMError} the first failure; the signal's reason on abort
 */
export async function downloadFiles(
  files: readonly RepoFile[],
  context: FileDownloadContext,
  signal: AbortSignal | undefined,
): Promise<void> {
  const ordered = [...files].sort((a, b) => a.blob.size - b.blob.size)
  const downloads = ordered.map(file => new FileDownload(file, context))
  const failure = new AbortController()
  const stop = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal
  const connection = async () => {
    try {
      await workOn(downloads, stop)
    } catch (error) {
      failure.abort(error)
      throw error
    }
  }
  try {
    const results = await Promise.allSettled(Array.from({ length: NUM_CONNECTIONS }, connection))
    signal?.throwIfAborted()
    if (failure.signal.aborted) throw failure.signal.reason
    for (const result of results) if (result.status === 'rejected') throw result.reason
  } finally {
    // a failure of closing costs what the next run could have used, and hides nothing
    await Promise.allSettled(downloads.map(download => download.close()))
  }
}

/** Take ranges until none is left; a file that begins again has new ones. */
async function workOn(downloads: readonly FileDownload[], signal: AbortSignal): Promise<void> {
  for (let position = 0; position < downloads.length; ) {
    signal.throwIfAborted()
    const download = downloads[position]!
    const range = await download.take()
    if (range === undefined) position++
    else await download.work(range, signal)
  }
}

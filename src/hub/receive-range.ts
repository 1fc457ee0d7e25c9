import { NVLMError } from '../core/errors.js'
import { quoted } from '../formats/file-name.js'
import type { PartialBlob } from '../platform/blob-store.js'
import type { ByteRange } from '../platform/byte-ranges.js'
import type { HttpResponse } from '../platform/hub-platform.js'
import type { HubAnswer, HubClient } from './hub-client.js'
import { TransientFailure } from './transient-failure.js'

/** A range of a file to fetch, and what to do with it. */
export interface ReceiveJob {
  readonly url: string
  /** What is fetched, for messages. */
  readonly what: string
  /** Bytes of the whole file, as the hub lists it. */
  readonly size: number
  readonly range: ByteRange
  readonly partial: PartialBlob
  readonly signal: AbortSignal
  readonly onBytes: (numBytes: number) => void
}

/** An attempt that brings less than this counts as a failure in a row. */
const MIN_PROGRESS_BYTES = 10_000

/**
 * Fetch a range into a partial blob; after a broken connection go on where it broke.
 *
 * @returns `no-parts` if the server sends the whole file instead, before anything was written
 * @throws {NVLMError} INTEGRITY for a length that is not the listed one; DOWNLOAD_FAILED, UNAUTHORIZED,
 * MODEL_NOT_FOUND, OUTPUT_FAILED; the signal's reason on abort
 */
export async function receiveRange(client: HubClient, job: ReceiveJob): Promise<'done' | 'no-parts'> {
  const { range, signal, what } = job
  const retries = client.retries(what)
  for (let position = range.start; position < range.end; ) {
    const start = position
    try {
      const answer = await client.open(job.url, { what, signal, headers: rangeHeaders(job, start) })
      try {
        if ((await checkAnswer(answer.response, job, start)) === 'no-parts') return 'no-parts'
        for await (const end of writePieces(answer, job, start)) {
          position = end
          if (position - start >= MIN_PROGRESS_BYTES) retries.succeed()
        }
      } finally {
        answer.end()
      }
      if (position < range.end)
        throw new TransientFailure(`the answer ended ${range.end - position} bytes early`)
    } catch (error) {
      await retries.pause(error, signal)
    }
  }
  return 'done'
}

function isWhole({ range, size }: ReceiveJob, start: number): boolean {
  return start === 0 && range.end === size
}

function rangeHeaders(job: ReceiveJob, start: number): Record<string, string> {
  if (isWhole(job, start)) return {}
  const { etag } = job.partial
  return { range: `bytes=${start}-${job.range.end - 1}`, ...(etag !== undefined && { 'if-range': etag }) }
}

/** Write what comes, and give the position after each piece. */
async function* writePieces({ pieces }: HubAnswer, job: ReceiveJob, start: number): AsyncIterable<number> {
  const { range, partial, what, onBytes } = job
  let position = start
  for await (const piece of pieces) {
    if (position + piece.byteLength > range.end) {
      throw wrongLength(what, 'the server sends more bytes than it listed')
    }
    await partial.write(position, piece)
    position += piece.byteLength
    onBytes(piece.byteLength)
    yield position
  }
}

/** Is this what was asked for? */
async function checkAnswer(
  response: HttpResponse,
  job: ReceiveJob,
  start: number,
): Promise<'fits' | 'no-parts'> {
  const { what, size, partial, range } = job
  const encoding = response.header('content-encoding') ?? 'identity'
  if (encoding !== 'identity') {
    throw new NVLMError(
      'DOWNLOAD_FAILED',
      `${what}: the server sends it as ${quoted(encoding)}, which was not asked for`,
      {
        hint: 'A proxy between changes files: try without it.',
      },
    )
  }
  const etag = response.header('etag')
  if (response.status === 206) requireRange(response, what, { start, end: range.end }, size)
  else if (isWhole(job, start)) requireLength(response, what, size)
  else {
    // the server's name for the bytes has changed: whether the bytes have, the hash will tell
    if (etag !== undefined && partial.etag !== undefined && etag !== partial.etag) {
      await partial.setEtag(etag)
      throw new TransientFailure('the file has another ETag')
    }
    return 'no-parts'
  }
  // a weak one (W/"…") is no promise about bytes
  if (partial.etag === undefined && etag?.startsWith('"')) await partial.setEtag(etag)
  return 'fits'
}

function requireRange(response: HttpResponse, what: string, { start, end }: ByteRange, size: number): void {
  const value = response.header('content-range') ?? ''
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(value) ?? []
  if (Number(first) === start && Number(last) === end - 1 && (total === '*' || Number(total) === size)) return
  throw wrongLength(
    what,
    `bytes ${start}-${end - 1}/${size} were asked for, the server sends ${quoted(value)}`,
  )
}

function requireLength(response: HttpResponse, what: string, size: number): void {
  const length = response.header('content-length')
  if (length === undefined || Number(length) === size) return
  if (/^text\/html\b/i.test(response.header('content-type') ?? '')) {
    throw new NVLMError(
      'DOWNLOAD_FAILED',
      `${what}: the server answers with a web page instead of the file`,
      {
        hint: 'A login page or a proxy is between: open the address in a browser, or set HTTPS_PROXY or HF_ENDPOINT.',
      },
    )
  }
  throw wrongLength(what, `has ${length} bytes on the server, the hub lists ${size}`)
}

function wrongLength(what: string, problem: string): NVLMError {
  return new NVLMError('INTEGRITY', `${what}: ${problem}`, {
    hint: 'Try again later; if it stays so, the server or a proxy between is broken.',
  })
}

import type { ServerResponse } from 'node:http'
import type { HubRequest } from './fake-hub.js'

/** What may go wrong with the answer to a request. */
export type Fault =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** Send so many bytes of the body, then reset the connection. */
  | { readonly cutAfter: number }
  /** Change the byte at this position of the file. */
  | { readonly flipAt: number }
  /** End the answer properly, so many bytes early or late, and claim no length. */
  | { readonly lengthOffBy: number }
  /** Claim a length that differs from the file's, and send it. */
  | { readonly claimLengthOffBy: number }
  /** A page of HTML with status 200. */
  | { readonly html: string }
  /** One byte at a time, with this pause. */
  | { readonly dripMs: number }
  | { readonly contentEncoding: string }
  /** Another name for the same bytes. */
  | { readonly etag: string }
  /** Answer a range with other bytes than those that were asked for. */
  | { readonly shiftRangeBy: number }

/** Content of a file, as far as it is asked for. */
export type FileBytes = Pick<Uint8Array, 'length'> & { subarray(start: number, end: number): Uint8Array }

/** What is sent. */
export interface SentFile {
  readonly bytes: FileBytes
  readonly etag: string
  readonly sendsParts: boolean
  readonly fault: Fault | undefined
  readonly onSent: (numBytes: number) => void
}

const PIECE_BYTES = 16 << 10

/** Answer a request for a file, as far as the fault lets it. */
export function sendFile(request: HubRequest, response: ServerResponse, file: SentFile): void {
  const { fault } = file
  const etag = fault && 'etag' in fault ? fault.etag : file.etag
  response.setHeader('etag', etag)
  response.setHeader('accept-ranges', file.sendsParts ? 'bytes' : 'none')
  if (fault && 'html' in fault) {
    response.writeHead(200, { 'content-type': 'text/html', 'content-length': fault.html.length })
    response.end(fault.html)
    return
  }
  const range = file.sendsParts && !isStale(request, etag) ? request.headers.range : undefined
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? []
  if (first === undefined) {
    sendBody(response, 200, file, 0, file.bytes.length)
    return
  }
  const shift = fault && 'shiftRangeBy' in fault ? fault.shiftRangeBy : 0
  const start = Number(first) + shift
  const end = Math.min(file.bytes.length, last ? Number(last) + 1 + shift : file.bytes.length)
  if (start >= file.bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${file.bytes.length}` })
    response.end()
    return
  }
  response.setHeader('content-range', `bytes ${start}-${end - 1}/${file.bytes.length}`)
  sendBody(response, 206, file, start, end)
}

/** Does If-Range name other bytes? */
function isStale({ headers }: HubRequest, etag: string): boolean {
  const ifRange = headers['if-range']
  return ifRange !== undefined && ifRange !== etag
}

function sendBody(
  response: ServerResponse,
  status: number,
  file: SentFile,
  start: number,
  end: number,
): void {
  const { fault = {} as Fault } = file
  const body = bodyOf(file, start, end)
  const claimed = 'claimLengthOffBy' in fault ? body.length : 'lengthOffBy' in fault ? undefined : end - start
  if (claimed !== undefined) response.setHeader('content-length', claimed)
  if ('contentEncoding' in fault) response.setHeader('content-encoding', fault.contentEncoding)
  response.writeHead(status)
  if ('dripMs' in fault) drip(response, body, fault.dripMs)
  else void pour(response, body, 'cutAfter' in fault ? fault.cutAfter : undefined, file.onSent)
}

function bodyOf({ bytes, fault = {} as Fault }: SentFile, start: number, end: number): Uint8Array {
  const off =
    'lengthOffBy' in fault ? fault.lengthOffBy : 'claimLengthOffBy' in fault ? fault.claimLengthOffBy : 0
  const body = new Uint8Array(Math.max(0, end - start + off))
  body.set(bytes.subarray(start, Math.min(end, start + body.length)))
  if ('flipAt' in fault && fault.flipAt >= start && fault.flipAt < end) body[fault.flipAt - start]! ^= 1
  return body
}

async function pour(
  response: ServerResponse,
  body: Uint8Array,
  cutAfter: number | undefined,
  onSent: SentFile['onSent'],
): Promise<void> {
  const end = Math.min(body.length, cutAfter ?? body.length)
  for (let at = 0; at < end && !response.destroyed; at += PIECE_BYTES) {
    const piece = body.subarray(at, Math.min(end, at + PIECE_BYTES))
    onSent(piece.length)
    // the callback comes when the piece has left: a cut loses nothing that was counted
    await new Promise(resolve => response.write(piece, resolve))
  }
  if (cutAfter === undefined) response.end()
  else setImmediate(() => response.destroy())
}

function drip(response: ServerResponse, body: Uint8Array, pauseMs: number): void {
  let at = 0
  const timer = setInterval(() => {
    if (response.destroyed || at >= body.length) clearInterval(timer)
    else response.write(body.subarray(at, ++at))
  }, pauseMs)
}

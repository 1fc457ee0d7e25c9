import type { IncomingMessage } from 'node:http'

/** How much of a body waits in memory for its reader. */
const MAX_BUFFERED_BYTES = 256 * 1024

/** A request of Node's HTTP server as a web Request; undefined for one whose host or headers make no sense. */
export function toRequest(incoming: IncomingMessage, signal: AbortSignal): Request | undefined {
  const { method = 'GET', url = '/', headers } = incoming
  const hasBody = method !== 'GET' && method !== 'HEAD'
  // the path of an absolute URL would bring a host of its own
  if (!url.startsWith('/')) return undefined
  try {
    return new Request(`http://${headers.host ?? 'localhost'}${url}`, {
      method,
      headers: toHeaders(incoming.rawHeaders),
      signal,
      ...(hasBody && { body: toStream(incoming), duplex: 'half' }),
    } as RequestInit)
  } catch {
    return undefined
  }
}

function toHeaders(raw: readonly string[]): Headers {
  const headers = new Headers()
  for (let index = 0; index < raw.length; index += 2) headers.append(raw[index]!, raw[index + 1]!)
  return headers
}

/** The body. When its reader has enough, the rest is thrown away as it comes, so that the client can read the answer. */
function toStream(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let isOver = false
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const end = (finish: () => void) => {
          if (!isOver) finish()
          isOver = true
        }
        incoming.on('data', (chunk: Buffer) => {
          if (isOver) return
          controller.enqueue(new Uint8Array(chunk))
          if (controller.desiredSize! <= 0) incoming.pause()
        })
        incoming.on('end', () => end(() => controller.close()))
        incoming.on('error', error => end(() => controller.error(error)))
        incoming.on('close', () => end(() => controller.error(new Error('the client went away'))))
        incoming.pause()
      },
      pull() {
        incoming.resume()
      },
      cancel() {
        isOver = true
        incoming.resume()
      },
    },
    { highWaterMark: MAX_BUFFERED_BYTES, size: chunk => chunk!.byteLength },
  )
}

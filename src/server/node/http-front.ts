import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { ApiError } from '../api-error.js'
import type { ModelServer } from '../create-server.js'
import { refuseConnection } from './refuse-connection.js'
import { toRequest } from './to-request.js'
import { writeResponse } from './write-response.js'

/** Bounds of connections. */
export interface FrontLimits {
  /** Most connections at once; default 256. */
  readonly maxConnections?: number | undefined
  /** Longest time for the headers of a request to arrive, in ms; default 10000. */
  readonly headersTimeoutMs?: number | undefined
  /** Longest time for a whole request to arrive, in ms; default 30000. */
  readonly requestTimeoutMs?: number | undefined
}

/** Largest head of a request; more is answered with 431. */
const MAX_HEADER_BYTES = 16 * 1024

/** Time for answers to be written after the last of them is there. */
const MAX_FLUSH_MS = 1000

/** An HTTP server before a model. */
export interface HttpFront {
  /** Where it listens, such as `http://127.0.0.1:8000`. */
  readonly url: string
  /**
   * Take no more connections, let what runs end, and close.
   *
   * @param maxMs - see `ModelServer.drain`
   */
  close(maxMs?: number): Promise<void>
}

/** Listen for HTTP. Rejects as `net.Server.listen` fails, such as with EADDRINUSE. */
export async function listenHttp(
  server: ModelServer,
  { host, port, ...limits }: { readonly host: string; readonly port: number } & FrontLimits,
): Promise<HttpFront> {
  const { maxConnections = 256, headersTimeoutMs = 10_000, requestTimeoutMs = 30_000 } = limits
  let isClosing = false
  /** Connections with the answer that is being written to them. */
  const answering = new WeakMap<Duplex, ServerResponse>()
  const http = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: Math.min(headersTimeoutMs, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      connectionsCheckingInterval: Math.min(1000, headersTimeoutMs / 2),
      keepAliveTimeout: 20_000,
    },
    (incoming, outgoing) => {
      if (isClosing) outgoing.setHeader('connection', 'close')
      answering.set(incoming.socket, outgoing)
      void exchange(server, incoming, outgoing)
    },
  )
  http.maxConnections = maxConnections
  http.on('clientError', (error, socket) => {
    const last = answering.get(socket)
    refuseConnection(error, socket, last?.headersSent === true && !last.writableFinished)
  })
  await listen(http, host, port)
  return {
    url: urlOf(http.address() as AddressInfo),
    async close(maxMs) {
      isClosing = true
      const closed = new Promise(resolve => http.close(resolve))
      await server.drain(maxMs)
      http.closeIdleConnections()
      const timer = setTimeout(() => http.closeAllConnections(), MAX_FLUSH_MS)
      await closed
      clearTimeout(timer)
    },
  }
}

async function exchange(
  server: ModelServer,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const controller = new AbortController()
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) controller.abort(new DOMException('the client went away', 'AbortError'))
  })
  const request = toRequest(incoming, controller.signal)
  const response = request
    ? await server.fetch(request)
    : new ApiError(400, 'The request can not be read.', { code: 'invalid_request' }).toResponse()
  await writeResponse(response, outgoing)
  // what nobody has read of the body stands before the connection's next request
  incoming.removeAllListeners('data').resume()
}

function listen(http: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    http.once('error', reject)
    http.listen(port, host, () => {
      http.off('error', reject)
      resolve()
    })
  })
}

function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}

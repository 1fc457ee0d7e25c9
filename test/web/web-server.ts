import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { extname, join, normalize } from 'node:path'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.css': 'text/css',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
  '.png': 'image/png',
}

/** A request that was answered. */
export interface LoggedRequest {
  readonly path: string
  readonly range: string | undefined
  readonly authorization: string | undefined
}

/** What a server does beside sending files. */
export interface WebServerOptions {
  /** First part of the path → folder. */
  readonly folders: Readonly<Record<string, string>>
}

/** A fault in the answers for one path. */
export interface Fault {
  /** Break the connection after so many bytes. */
  readonly cutAfter?: number
  /** Change the byte at this place. */
  readonly flipByte?: number
  /** Answer so. */
  readonly status?: number
  /** Send everything, whatever part was asked for. */
  readonly ignoreRange?: boolean
  /** How many answers have it; default: all. */
  readonly times?: number
}

/** A web server on this machine whose answers can be spoilt. Each page has the headers that its name asks for. */
export class WebServer {
  readonly requests: LoggedRequest[] = []
  private readonly faults = new Map<string, (Fault & { left: number })[]>()

  private constructor(
    private readonly server: Server,
    private readonly folders: Map<string, string>,
  ) {}

  static async start(options: WebServerOptions): Promise<WebServer> {
    const server = createServer()
    const webServer = new WebServer(server, new Map(Object.entries(options.folders)))
    server.on('request', (request, response) => void webServer.answer(request, response))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return webServer
  }

  /** Browsers take localhost for a secure context. */
  get origin(): string {
    return `http://localhost:${(this.server.address() as AddressInfo).port}`
  }

  /** Spoil the next answers for a path: by the first fault as often as it says, then by the next. */
  spoil(path: string, ...faults: readonly Fault[]): void {
    const left = faults.map(fault => ({ ...fault, left: fault.times ?? Number.POSITIVE_INFINITY }))
    this.faults.set(path, left)
  }

  /** Requests below a path, in the order in which they came. */
  askedFor(path: string): readonly LoggedRequest[] {
    return this.requests.filter(request => request.path.startsWith(path))
  }

  /** Send the files of another folder too. */
  serve(name: string, folder: string): void {
    this.folders.set(name, folder)
  }

  /** Answer everything well again, and forget what was asked. */
  reset(): void {
    this.faults.clear()
    this.requests.length = 0
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise(resolve => this.server.close(resolve))
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url!, this.origin)
    const { range, authorization } = request.headers
    this.requests.push({ path: pathname, range, authorization })
    const page = PAGES[pathname]
    if (page) return void response.writeHead(200, { 'content-type': 'text/html', ...page }).end(HTML)
    if (pathname === '/favicon.ico') return void response.writeHead(204).end()
    const [, first = '', ...rest] = normalize(decodeURIComponent(pathname)).split('/')
    const folder = this.folders.get(first)
    const path = join(folder ?? '/dev/null', ...rest)
    const info = folder === undefined ? undefined : await stat(path).catch(() => undefined)
    const fault = this.takeFault(pathname)
    if (fault?.status !== undefined) return void response.writeHead(fault.status).end()
    if (!info?.isFile()) return void response.writeHead(404).end()
    const asked = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0)
    const start = fault?.ignoreRange ? 0 : asked
    response.writeHead(start > 0 ? 206 : 200, {
      'content-type': TYPES[extname(path)] ?? 'application/octet-stream',
      'content-length': info.size - start,
      // workers of an isolated page must ask for isolation too
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'same-origin',
      ...(start > 0 && { 'content-range': `bytes ${start}-${info.size - 1}/${info.size}` }),
      ...(STRICT_WORKERS.test(pathname) && { 'content-security-policy': STRICT }),
    })
    await sendFile(path, start, fault, response)
  }

  private takeFault(path: string): Fault | undefined {
    const fault = this.faults.get(path)?.find(({ left }) => left > 0)
    if (fault) fault.left--
    return fault
  }
}

const STRICT = "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'"

/** Scripts get the policy of strict pages too: a worker's own answer decides about it. */
const STRICT_WORKERS = /^\/app\//

const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
}

/** Pages with their headers. */
const PAGES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '/plain.html': {},
  '/isolated.html': ISOLATED,
  '/strict.html': { 'content-security-policy': STRICT },
}

const HTML = '<!doctype html><title>nvlm-ts</title><script type="module" src="/app/page.js"></script>'

async function sendFile(
  path: string,
  start: number,
  { cutAfter = Number.POSITIVE_INFINITY, flipByte }: Fault = {},
  response: ServerResponse,
): Promise<void> {
  let at = start
  let sent = 0
  for await (const chunk of createReadStream(path, { start })) {
    const bytes = new Uint8Array(chunk)
    if (flipByte !== undefined && flipByte >= at && flipByte < at + bytes.length) bytes[flipByte - at]! ^= 1
    at += bytes.length
    const rest = bytes.subarray(0, cutAfter - sent)
    sent += rest.length
    await new Promise(resolve => response.write(rest, resolve))
    if (sent >= cutAfter) {
      // let what was sent be read before the connection breaks: a broken one drops what nobody has taken yet
      await new Promise(resolve => setTimeout(resolve, 500))
      response.destroy()
      return
    }
  }
  response.end()
}

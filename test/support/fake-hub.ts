import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Fault, type FileBytes, sendFile } from './fake-hub-files.js'

/** One request as it came. */
export interface HubRequest {
  readonly server: 'hub' | 'cdn'
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: IncomingMessage['headers']
  /** Path of the file that is asked for, if it is one. */
  readonly file: string | undefined
  /** Position of the first byte that is asked for. */
  readonly start: number
}

/** A file of a repository on the fake hub. */
interface HubFile {
  readonly bytes: FileBytes
  readonly isLfs: boolean
  /** SHA-256 of a large file, git's of a small one. */
  readonly hash: string
}

interface Repo {
  commit: string
  readonly files: Map<string, HubFile>
  /** Extra fields of the revision's answer. */
  info: object
}

/** How the fake hub behaves; change it between requests. */
export interface HubBehaviour {
  /** What goes wrong with a request; undefined: nothing. */
  fault?: ((request: HubRequest) => Fault | undefined) | undefined
  /** Only this token may read. */
  token?: string | undefined
  /** Entries on one page of a list of files. */
  pageSize: number
  /** Does the storage send parts of files? */
  sendsParts: boolean
  /** Called as bytes of files are sent. */
  onSent?: (() => void) | undefined
}

const INDEX_SIZE = 1000

/**
 * A hub on this machine with the routes, headers and redirects of the real one: the API, `resolve`, and a storage server
 * on another port that large files are redirected to.
 */
export class FakeHub {
  readonly requests: HubRequest[] = []
  readonly behaviour: HubBehaviour = { pageSize: INDEX_SIZE, sendsParts: true }
  /** Bytes of bodies that were sent for files. */
  numBytesSent = 0
  private readonly repos = new Map<string, Repo>()

  private constructor(
    private readonly hub: Server,
    private readonly cdn: Server,
  ) {
    hub.on('request', (request, response) => this.answer(request, response, 'hub'))
    cdn.on('request', (request, response) => this.answer(request, response, 'cdn'))
  }

  static async start(): Promise<FakeHub> {
    const servers = [createServer(), createServer()] as const
    for (const server of servers) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    }
    return new FakeHub(...servers)
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.hub.address() as AddressInfo).port}`
  }

  get cdnOrigin(): string {
    return `http://127.0.0.1:${(this.cdn.address() as AddressInfo).port}`
  }

  /** Add a repository. Files of more than 1 kB that are no text go through the storage, as on the real hub. */
  addRepo(name: string, files: Readonly<Record<string, string | Uint8Array>>, info: object = {}): string {
    const entries = Object.entries(files).map(([path, content]): [string, HubFile] => {
      const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
      const isLfs = /\.(?:safetensors|bin)$|^tokenizer\.json$/.test(path)
      return [path, { bytes, isLfs, hash: isLfs ? sha256(bytes) : gitSha1(bytes) }]
    })
    return this.add(name, entries, info)
  }

  /**
   * Add a folder whose `.safetensors` files are too large for the memory, and are read from the disk when they are asked
   * for. Their hashes are made up: they can be looked into, and not downloaded.
   */
  addLargeFolder(name: string, folder: string): string {
    const entries = readdirSync(folder).map((path, index): [string, HubFile] => {
      const isLfs = path.endsWith('.safetensors')
      const bytes = isLfs ? new DiskBytes(`${folder}/${path}`) : readFileSync(`${folder}/${path}`)
      return [
        path,
        { bytes, isLfs, hash: isLfs ? sha256(Uint8Array.of(index)) : gitSha1(bytes as Uint8Array) },
      ]
    })
    return this.add(name, entries, {})
  }

  private add(name: string, entries: readonly [string, HubFile][], info: object): string {
    const commit = sha1(`${name}${entries.map(([path, { hash }]) => path + hash).join()}`)
    this.repos.set(name, { commit, files: new Map(entries), info })
    return commit
  }

  /** Add a folder's own files as a repository. */
  addFolder(name: string, folder: string, extra: Readonly<Record<string, string | Uint8Array>> = {}): string {
    const paths = readdirSync(folder, { withFileTypes: true }).filter(entry => entry.isFile())
    const files = paths.map(({ name }): [string, Uint8Array] => [name, readFileSync(`${folder}/${name}`)])
    return this.addRepo(name, { ...Object.fromEntries(files), ...extra })
  }

  /** Requests for the bytes of a file, at the server that has them. */
  requestsFor(path: string): readonly HubRequest[] {
    const server = this.requests.some(request => request.file === path && request.server === 'cdn')
      ? 'cdn'
      : 'hub'
    return this.requests.filter(request => request.file === path && request.server === server)
  }

  async close(): Promise<void> {
    for (const server of [this.hub, this.cdn]) {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }

  private answer(incoming: IncomingMessage, response: ServerResponse, server: 'hub' | 'cdn'): void {
    const url = new URL(incoming.url!, 'http://hub')
    const parts = url.pathname.split('/').slice(1).map(decodeURIComponent)
    const isFile = server === 'cdn' || parts[2] === 'resolve'
    const file = isFile ? parts.slice(4).join('/') : undefined
    const start = Number(/^bytes=(\d+)-/.exec(incoming.headers.range ?? '')?.[1] ?? 0)
    const request = {
      server,
      method: incoming.method!,
      url: incoming.url!,
      headers: incoming.headers,
      file,
      start,
    }
    this.requests.push(request)
    const fault = this.behaviour.fault?.(request)
    if (fault && 'status' in fault) {
      response.writeHead(fault.status, fault.headers)
      response.end('no')
    } else if (server === 'hub' && !this.isAllowed(incoming)) refuse(response, 401, 'GatedRepo')
    else if (isFile) this.answerFile(request, parts, response, fault)
    else this.answerApi(parts, url, response)
  }

  private isAllowed({ headers }: IncomingMessage): boolean {
    const { token } = this.behaviour
    return token === undefined || headers.authorization === `Bearer ${token}`
  }

  private answerApi(
    [, , owner, name, route, revision]: readonly string[],
    url: URL,
    response: ServerResponse,
  ): void {
    const id = `${owner}/${name}`
    const repo = this.repos.get(id)
    if (repo === undefined) refuse(response, 404, 'RepoNotFound')
    else if (revision !== 'main' && revision !== repo.commit) refuse(response, 404, 'RevisionNotFound')
    else if (route === 'tree') this.answerTree(repo, url, response)
    else {
      const siblings = [...repo.files.keys()].map(rfilename => ({ rfilename }))
      const info = { id, modelId: id, sha: repo.commit, private: false, gated: false, siblings }
      sendJson(response, { ...info, ...repo.info })
    }
  }

  private answerTree({ files }: Repo, url: URL, response: ServerResponse): void {
    const first = Number(url.searchParams.get('cursor') ?? 0)
    const next = first + this.behaviour.pageSize
    const entries = [...files].slice(first, next).map(([path, file]) => treeEntry(path, file))
    if (next < files.size) {
      url.searchParams.set('cursor', String(next))
      response.setHeader('link', `<${this.endpoint}${url.pathname}${url.search}>; rel="next"`)
    }
    sendJson(response, entries)
  }

  private answerFile(
    request: HubRequest,
    parts: readonly string[],
    response: ServerResponse,
    fault: Fault | undefined,
  ): void {
    const repo = this.repos.get(`${parts[0]}/${parts[1]}`)
    const file = repo?.files.get(request.file!)
    if (repo === undefined || file === undefined) {
      refuse(response, 404, 'EntryNotFound')
      return
    }
    response.setHeader('x-repo-commit', repo.commit)
    const etag = `"${file.hash}"`
    if (request.server === 'hub' && file.isLfs && fault === undefined) {
      response.setHeader('x-linked-etag', etag)
      response.setHeader('x-linked-size', file.bytes.length)
      response.writeHead(302, { location: `${this.cdnOrigin}${request.url}?X-Signature=secret` })
      response.end()
      return
    }
    const onSent = (numBytes: number) => {
      this.numBytesSent += numBytes
      this.behaviour.onSent?.()
    }
    sendFile(request, response, {
      bytes: file.bytes,
      etag,
      sendsParts: this.behaviour.sendsParts,
      fault,
      onSent,
    })
  }
}

function treeEntry(path: string, { bytes, isLfs, hash }: HubFile): object {
  const { length: size } = bytes
  if (!isLfs) return { type: 'file', path, size, oid: hash }
  // git itself has a text that points to the content
  return { type: 'file', path, size, oid: sha1(hash), lfs: { oid: hash, size, pointerSize: 134 } }
}

/** A file on the disk, read where it is wanted. */
class DiskBytes implements FileBytes {
  readonly length: number

  constructor(private readonly path: string) {
    this.length = statSync(path).size
  }

  subarray(start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - start)
    const file = openSync(this.path, 'r')
    readSync(file, bytes, 0, bytes.length, start)
    closeSync(file)
    return bytes
  }
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' })
  response.end(JSON.stringify(value))
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'x-error-code': code, 'content-type': 'application/json' })
  response.end(JSON.stringify({ error: code }))
}

function sha1(content: string | Uint8Array): string {
  return createHash('sha1').update(content).digest('hex')
}

/** SHA-256 as the hub names large files. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

/** Git's id of a blob, as the hub names small files. */
export function gitSha1(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
}

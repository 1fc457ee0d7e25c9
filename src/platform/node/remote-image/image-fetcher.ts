import type { LookupFunction } from 'node:net'
import { type Agent, type Dispatcher, request } from 'undici'
import { NVLMError } from '../../../core/errors.js'
import { type AddressCheck, createAddressCheck } from './allowed-address.js'
import { BlockedAddressError, createGuardedAgent } from './guarded-agent.js'

/** How pictures are fetched. */
export interface ImageFetcherOptions {
  /** Networks that may be talked to beside public addresses, such as `10.20.0.0/16`; any port of them. */
  readonly networks?: readonly string[] | undefined
  /** Largest picture in bytes; default 20 MiB. */
  readonly maxBytes?: number | undefined
  /** Longest time for one picture, redirects included, in ms; default 10000. */
  readonly timeoutMs?: number | undefined
  /** Most redirects; default 3. */
  readonly maxRedirects?: number | undefined
  /** How names are looked up; default: as the system does. */
  readonly lookup?: LookupFunction | undefined
}

/** Ports of web servers; on others of public addresses there is something else. */
const WEB_PORTS = ['', '80', '443', '8080', '8443']

const REDIRECTS = [301, 302, 303, 307, 308]

/** What one fetch works with. */
interface Fetching {
  readonly agent: Agent
  readonly isAllowed: AddressCheck
  /** Are ports to be looked at when the address is known, not before? */
  readonly isAnyPort: boolean
  readonly maxBytes: number
  readonly signal: AbortSignal
}

/**
 * A function that fetches pictures which strangers name, and nothing from inside: every hop's address must be public.
 *
 * @throws {NVLMError} INVALID_OPTION; the function: IMAGE_INPUT or IMAGE_TOO_LARGE, with messages fit for strangers
 */
export function createImageFetcher({
  networks = [],
  maxBytes = 20 * 1024 * 1024,
  timeoutMs = 10_000,
  maxRedirects = 3,
  lookup,
}: ImageFetcherOptions = {}): (url: URL, signal: AbortSignal) => Promise<Uint8Array> {
  const isAllowed = createAddressCheck(networks)
  const isPublic = createAddressCheck()
  const isAnyPort = networks.length > 0
  // of public addresses only the ports of web servers; a network that is named is known to who named it
  const isPeerAllowed = (address: string, port: string) => isWebPort(port) || !isPublic(address)
  const agent = createGuardedAgent(isAllowed, isPeerAllowed, lookup)
  return async (url, outer) => {
    const timeout = AbortSignal.timeout(timeoutMs)
    const signal = AbortSignal.any([outer, timeout])
    try {
      return await follow(url, maxRedirects, { agent, isAllowed, isAnyPort, maxBytes, signal })
    } catch (error) {
      outer.throwIfAborted()
      if (timeout.aborted) throw refusal('took too long')
      throw describe(error)
    }
  }
}

async function follow(url: URL, maxRedirects: number, fetching: Fetching): Promise<Uint8Array> {
  let next = url
  for (let numRedirects = 0; numRedirects <= maxRedirects; numRedirects++) {
    checkUrl(next, fetching)
    const answer = await request(next, {
      dispatcher: fetching.agent,
      signal: fetching.signal,
      // a body that unpacks to more than it is would have to be unpacked to know
      headers: { accept: 'image/*', 'accept-encoding': 'identity', 'user-agent': 'nvlm-ts' },
    })
    if (!REDIRECTS.includes(answer.statusCode)) return readBody(answer, fetching)
    answer.body.on('error', () => {}).destroy()
    const { location } = answer.headers
    if (typeof location !== 'string') throw refusal('is redirected to nowhere')
    next = parseLocation(location, next)
  }
  throw refusal(`is redirected more than ${maxRedirects} times`)
}

function checkUrl({ protocol, username, password, hostname, port }: URL, { isAllowed, isAnyPort }: Fetching) {
  if (protocol !== 'http:' && protocol !== 'https:')
    throw refusal('is redirected to something else than http')
  if (username !== '' || password !== '') throw refusal('has a user name in its URL')
  const literal = hostname.replace(/^\[|\]$/g, '')
  const isLiteral = /^[\d.]+$/.test(literal) || literal.includes(':')
  // names are checked when they are looked up; numbers never are looked up
  if (isLiteral && !isAllowed(literal)) throw new BlockedAddressError()
  if (!isAnyPort && !isWebPort(port)) throw refusal('is at an unusual port')
}

function isWebPort(port: string): boolean {
  return WEB_PORTS.includes(port)
}

function parseLocation(location: string, base: URL): URL {
  try {
    return new URL(location, base)
  } catch {
    throw refusal('is redirected to nowhere')
  }
}

async function readBody(
  { statusCode, headers, body }: Dispatcher.ResponseData,
  { maxBytes }: Fetching,
): Promise<Uint8Array> {
  try {
    if (statusCode !== 200) throw refusal(`was answered with status ${statusCode}`)
    const encoding = headers['content-encoding'] ?? 'identity'
    if (encoding !== 'identity') throw refusal('is sent packed, though it was asked for as it is')
    if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
    const chunks: Uint8Array[] = []
    let numBytes = 0
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      numBytes += chunk.length
      if (numBytes > maxBytes) throw tooLarge(maxBytes)
      chunks.push(chunk)
    }
    return new Uint8Array(Buffer.concat(chunks, numBytes))
  } finally {
    // a body that was not read to its end
    body.on('error', () => {}).destroy()
  }
}

function describe(error: unknown): unknown {
  if (NVLMError.isInstance(error)) return error
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof BlockedAddressError) return refusal('is at an address that is not public')
  }
  return refusal('can not be reached', error)
}

function refusal(why: string, cause?: unknown): NVLMError {
  return new NVLMError('IMAGE_INPUT', `the image ${why}`, { cause })
}

function tooLarge(maxBytes: number): NVLMError {
  return new NVLMError('IMAGE_TOO_LARGE', `the image has more than ${maxBytes} bytes`)
}

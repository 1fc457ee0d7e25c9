import { NVLMError } from '../../core/errors.js'
import { checkEncodedSize } from '../image-limits.js'
import type { ImageLimits } from '../platform.js'
import { nodeHttpGet } from './hub/http-get.js'

const MAX_REDIRECTS = 3
const TIMEOUT_MS = 30_000

/**
 * Fetch a picture that a person asked for by its address. For addresses that others give this is no protection: it goes
 * wherever this machine can go.
 *
 * @throws {NVLMError} IMAGE_INPUT or IMAGE_TOO_LARGE; the signal's reason on abort
 */
export async function fetchPicture(
  url: string,
  limits: ImageLimits,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  try {
    return await follow(url, limits, AbortSignal.any([signal, timeout]))
  } catch (cause) {
    signal.throwIfAborted()
    if (NVLMError.isInstance(cause)) throw cause
    const why = timeout.aborted ? `no answer in ${TIMEOUT_MS / 1000} s` : reasonOf(cause)
    throw new NVLMError('IMAGE_INPUT', `${url}: can't be fetched: ${why}`, { cause })
  }
}

async function follow(url: string, limits: ImageLimits, signal: AbortSignal): Promise<Uint8Array> {
  let address = new URL(url)
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    if (!/^https?:$/.test(address.protocol)) break
    const response = await nodeHttpGet(address.href, { headers: { accept: 'image/*' }, signal })
    const location = response.header('location')
    if (response.status >= 300 && response.status < 400 && location !== undefined) {
      response.cancel()
      address = new URL(location, address)
      continue
    }
    if (response.status === 200) return collect(url, response.body, limits)
    response.cancel()
    throw new NVLMError('IMAGE_INPUT', `${url}: the server answered ${response.status}`)
  }
  throw new NVLMError('IMAGE_INPUT', `${url}: is redirected too often, or away from the web`)
}

async function collect(
  url: string,
  body: AsyncIterable<Uint8Array>,
  limits: ImageLimits,
): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let numBytes = 0
  // leaving the loop ends the transfer
  for await (const piece of body) {
    numBytes += piece.length
    checkEncodedSize(url, numBytes, limits)
    pieces.push(piece)
  }
  return new Uint8Array(Buffer.concat(pieces))
}

/** Of a refused connection Node tells one reason for each address; any of them says it. */
function reasonOf(cause: unknown): string {
  const [first = cause] = cause instanceof AggregateError ? cause.errors : []
  return first instanceof Error ? first.message : String(first)
}

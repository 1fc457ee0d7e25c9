import { ApiError } from './api-error.js'

/** Names that always mean this machine. */
const LOCAL_NAMES = ['localhost', '127.0.0.1', '[::1]']

/**
 * Refuse requests whose Host is a name that nobody gave this server.
 *
 * A page on the web can let its own name point at 127.0.0.1 and then talk to a server there as if it were its own (DNS
 * rebinding); the name in Host gives it away. Numeric addresses can't be rebound and are let through.
 *
 * @param allowed - more names than those of this machine; `*` allows all
 */
export function checkHost(request: Request, allowed: readonly string[] | '*'): void {
  if (allowed === '*') return
  const host = hostName(request)
  if (isNumeric(host) || LOCAL_NAMES.includes(host) || host.endsWith('.localhost')) return
  if (allowed.some(name => name.toLowerCase() === host)) return
  throw new ApiError(403, 'This host name is not one of those that the server answers to.', {
    type: 'permission_error',
    code: 'host_not_allowed',
  })
}

function hostName(request: Request): string {
  const { hostname } = new URL(request.url)
  const given = request.headers.get('host')
  if (given === null) return hostname
  try {
    return new URL(`http://${given}`).hostname
  } catch {
    return ''
  }
}

function isNumeric(host: string): boolean {
  return /^\d+(\.\d+){3}$/.test(host) || /^\[[0-9a-f:.]+\]$/.test(host)
}

/**
 * A check of the `authorization` header against a key. It takes the same time for every wrong key of a length: digests
 * are compared, all of them.
 */
export function createKeyCheck(apiKey: string | undefined): (request: Request) => Promise<void> {
  if (apiKey === undefined) return async () => {}
  const expected = digest(apiKey)
  return async request => {
    const given = /^Bearer +(.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? ''
    if (isEqual(await digest(given), await expected)) return
    throw new ApiError(401, 'The API key is missing or wrong: send "Authorization: Bearer <key>".', {
      type: 'authentication_error',
      code: 'invalid_api_key',
      headers: { 'www-authenticate': 'Bearer' },
    })
  }
}

async function digest(text: string): Promise<Uint8Array> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)))
}

function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  let difference = 0
  for (let index = 0; index < left.length; index++) difference |= left[index]! ^ right[index]!
  return difference === 0
}

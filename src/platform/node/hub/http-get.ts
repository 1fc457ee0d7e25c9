import type { Dispatcher } from 'undici'
import type { HttpGet } from '../../hub-platform.js'

/** A server that takes longer to accept a connection is not there. */
const CONNECT_TIMEOUT_MS = 10_000

type Undici = typeof import('undici')

let loading: Promise<{ readonly request: Undici['request']; readonly dispatcher: Dispatcher }> | undefined

/**
 * GET through undici, by the proxies that HTTPS_PROXY, HTTP_PROXY and NO_PROXY name.
 *
 * Node's own fetch knows proxies from Node 24 on only. The package is loaded with the first request, so that a model
 * that is on the disk doesn't pay for it. What comes slowly is watched by the caller, who knows how much is expected.
 */
export const nodeHttpGet: HttpGet = async (url, { headers, signal }) => {
  loading ??= import('undici').then(({ request, EnvHttpProxyAgent }) => ({
    request,
    dispatcher: new EnvHttpProxyAgent({
      connect: { timeout: CONNECT_TIMEOUT_MS },
      headersTimeout: 0,
      bodyTimeout: 0,
    }),
  }))
  const { request, dispatcher } = await loading
  const response = await request(url, { dispatcher, headers: { ...headers }, signal })
  // an error after nobody reads any more must not end the process
  response.body.on('error', () => {})
  return {
    status: response.statusCode,
    header: name => {
      const value = response.headers[name]
      return Array.isArray(value) ? value[0] : value
    },
    body: response.body,
    cancel: () => {
      response.body.destroy()
    },
  }
}

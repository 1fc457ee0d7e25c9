import { NVLMError } from '../../core/errors.js'
import { createServer } from '../create-server.js'
import type { ServedModel } from '../served-model.js'
import type { ServerOptions } from '../server-options.js'
import { type FrontLimits, type HttpFront, listenHttp } from './http-front.js'

/** Options of `serveModel`. */
export interface ServeOptions extends ServerOptions, FrontLimits {
  /** Default `127.0.0.1`. Another machine can reach the server at other addresses only, and they need an `apiKey`. */
  readonly host?: string | undefined
  /** Default 8000; 0: any that is free. */
  readonly port?: number | undefined
}

/**
 * Put OpenAI's API before a model and listen for HTTP.
 *
 * @param model - an `NVLM`, best loaded with `worker: 'process'`; it stays the caller's
 * @throws {NVLMError} INVALID_OPTION; Node's error if it can't listen
 */
export function serveModel(model: ServedModel, options: ServeOptions = {}): Promise<HttpFront> {
  const { host = '127.0.0.1', port = 8000, ...rest } = options
  const { maxConnections, headersTimeoutMs, requestTimeoutMs, ...serverOptions } = rest
  if (!isLoopback(host) && serverOptions.apiKey === undefined) {
    throw new NVLMError(
      'INVALID_OPTION',
      `serve: other machines can reach "${host}", and there is no API key`,
      {
        hint: 'Give a key, or listen at 127.0.0.1.',
      },
    )
  }
  const server = createServer(model, serverOptions)
  return listenHttp(server, { host, port, maxConnections, headersTimeoutMs, requestTimeoutMs })
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

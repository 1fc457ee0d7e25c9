import { Admission } from './admission.js'
import { Answering } from './answering.js'
import type { ApiCall, ApiSettings } from './api-call.js'
import { ApiError } from './api-error.js'
import { parseChatCall } from './chat-call.js'
import { redact, toApiError } from './describe-error.js'
import { checkHost, createKeyCheck } from './guard.js'
import { createImageOpener } from './image-references.js'
import { Metrics } from './metrics.js'
import { readJson } from './read-json.js'
import { parseResponsesCall } from './responses-call.js'
import { findRoute, type RouteName } from './routes.js'
import type { ServedModel } from './served-model.js'
import { parseServerOptions, type ServerOptions } from './server-options.js'

/** A model behind OpenAI's API, for whatever has web Requests. */
export interface ModelServer {
  /** Answer one request. Never rejects. */
  readonly fetch: (request: Request) => Promise<Response>
  /**
   * Take no more requests, and wait for those that run.
   *
   * @param maxMs - after this they are stopped, with an error that says so; default 30000
   */
  drain(maxMs?: number): Promise<void>
}

/**
 * Put OpenAI's API before a model: `/v1/chat/completions`, `/v1/responses`, `/v1/models`, `/health` and `/metrics`.
 *
 * @param model - an `NVLM`; it stays the caller's, to be disposed after `drain`
 * @throws {NVLMError} INVALID_OPTION
 */
export function createServer(model: ServedModel, options: ServerOptions = {}): ModelServer {
  const server = new Server(model, options)
  return { fetch: request => server.answer(request), drain: maxMs => server.drain(maxMs) }
}

/** One request on its way. */
interface Exchange {
  readonly request: Request
  readonly route: RouteName
  /** What follows the route's path, decoded. */
  readonly rest: string
  /** The answer is a stream: `end` is called when it is over. */
  isOpen: boolean
  end(status: number, error?: unknown): void
}

const READERS: Readonly<Partial<Record<RouteName, (body: unknown, settings: ApiSettings) => ApiCall>>> = {
  '/v1/chat/completions': parseChatCall,
  '/v1/responses': parseResponsesCall,
}

class Server {
  private readonly settings: ReturnType<typeof parseServerOptions>
  private readonly admission: Admission
  private readonly metrics = new Metrics()
  private readonly answerings = new Set<Answering>()
  private readonly checkKey: (request: Request) => Promise<void>
  private readonly modelId: string
  private readonly createdAt = Math.floor(Date.now() / 1000)
  private isDraining = false

  constructor(
    private readonly model: ServedModel,
    options: ServerOptions,
  ) {
    this.settings = parseServerOptions(options)
    this.admission = new Admission(this.settings.maxQueued)
    this.checkKey = createKeyCheck(this.settings.apiKey)
    this.modelId = this.settings.modelName ?? model.info.id
  }

  async answer(request: Request): Promise<Response> {
    const id = `req_${globalThis.crypto.randomUUID().replaceAll('-', '')}`
    const { route, rest, isAllowed, methods } = findRoute(request, this.settings.basePath)
    const exchange = this.open(request, id, route, rest)
    let response: Response
    let failure: unknown
    try {
      checkHost(request, this.settings.allowedHosts)
      await this.checkKey(request)
      if (route === 'other') throw new ApiError(404, 'There is no such route.', { code: 'not_found' })
      if (!isAllowed) throw notAllowed(methods)
      response = await this.dispatch(exchange)
    } catch (error) {
      const apiError = toApiError(error)
      failure = apiError.cause ?? (apiError.status >= 500 ? apiError : undefined)
      response = apiError.toResponse()
    }
    response.headers.set('x-request-id', id)
    response.headers.set('cache-control', 'no-store')
    response.headers.set('x-content-type-options', 'nosniff')
    if (!exchange.isOpen) exchange.end(request.signal.aborted ? CLIENT_LEFT : response.status, failure)
    return response
  }

  async drain(maxMs = 30_000): Promise<void> {
    this.isDraining = true
    let timer: ReturnType<typeof setTimeout> | undefined
    const timeout = new Promise<void>(resolve => {
      timer = setTimeout(resolve, maxMs)
    })
    await Promise.race([this.admission.idle(), timeout])
    clearTimeout(timer)
    for (const answering of this.answerings) answering.stop(shuttingDown())
    await this.admission.idle()
  }

  private open(request: Request, id: string, route: RouteName, rest: string): Exchange {
    const startedAt = performance.now()
    return {
      ...{ request, route, rest },
      isOpen: false,
      end: (status, error) => {
        const ms = performance.now() - startedAt
        this.metrics.countRequest(route, status, ms / 1000)
        const { method } = request
        const told = error === undefined ? {} : { error: redact(messageOf(error)) }
        this.settings.onRequest?.({ id, method, route, status, ms, ...told })
      },
    }
  }

  private async dispatch(exchange: Exchange): Promise<Response> {
    const { route, rest } = exchange
    if (route === '/health') return this.health()
    if (route === '/metrics') {
      const text = this.metrics.write(this.model, this.admission)
      return new Response(text, { headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } })
    }
    if (route === '/v1/models') return this.models(rest)
    if (this.isDraining) throw shuttingDown()
    return this.generate(exchange, READERS[route]!)
  }

  /** 503 as long as a request would not be answered soon, for load balancers to look at. */
  private health(): Response {
    const { engine } = this.model
    const state = this.isDraining ? 'draining' : (engine?.state ?? 'ready')
    const { numRunning: running, numWaiting: waiting } = this.admission
    const isOk = state === 'ready'
    const body = { status: isOk ? 'ok' : state, model: this.modelId, running, waiting }
    return Response.json(body, { status: isOk ? 200 : 503 })
  }

  private models(asked: string): Response {
    const model = {
      id: this.modelId,
      object: 'model',
      created: this.createdAt,
      owned_by: 'nvlm-ts',
      max_model_len: this.model.info.contextLength,
    }
    if (asked === '') return Response.json({ object: 'list', data: [model] })
    if (asked === this.modelId) return Response.json(model)
    throw new ApiError(404, 'There is no such model here.', { param: 'model', code: 'model_not_found' })
  }

  private async generate(
    exchange: Exchange,
    parse: (body: unknown, settings: ApiSettings) => ApiCall,
  ): Promise<Response> {
    const { request, route } = exchange
    const { settings, modelId, model, metrics } = this
    const ticket = this.admission.enter()
    let answering: Answering | undefined
    const leave = () => {
      if (answering) this.answerings.delete(answering)
      ticket.leave()
    }
    try {
      const limits = { maxBytes: settings.maxBodyBytes, timeoutMs: settings.bodyTimeoutMs }
      const call = parse(await readJson(request, limits), { modelId, maxChoices: settings.maxChoices })
      if (call.numChoices > 1) ticket.add(call.numChoices - 1)
      const { signal } = request
      const opener = createImageOpener(settings, { maxImages: settings.maxImages, tiles: call.tiles, signal })
      const plan = await call.plan(opener)
      answering = new Answering({ model, modelId, metrics, route, ticket, signal }, plan)
      this.answerings.add(answering)
      if (!call.isStream) return await answering.respond(call.render)
      const response = await answering.stream(call, error => {
        leave()
        exchange.end(signal.aborted ? CLIENT_LEFT : (error?.status ?? 200), error?.cause ?? error)
      })
      exchange.isOpen = true
      return response
    } finally {
      if (!exchange.isOpen) leave()
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** What servers write down for an answer that nobody waited for. */
const CLIENT_LEFT = 499

function shuttingDown(): ApiError {
  return new ApiError(503, 'The server is shutting down.', {
    code: 'shutting_down',
    headers: { 'retry-after': '5' },
  })
}

function notAllowed(methods: readonly string[]): ApiError {
  return new ApiError(405, `Use ${methods.join(' or ')}.`, {
    code: 'method_not_allowed',
    headers: { allow: methods.join(', ') },
  })
}

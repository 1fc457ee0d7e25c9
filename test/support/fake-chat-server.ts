import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request that came. */
export interface ChatCall {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  /** The JSON that was posted. */
  readonly body: Record<string, unknown> & { readonly messages?: readonly Record<string, unknown>[] }
  /** Resolves when the client has gone before the answer was whole. */
  readonly left: Promise<void>
}

/** Answers `/chat/completions`; for any other path gives undefined to let the default answer. */
export type ChatScript = (call: ChatCall, response: ServerResponse) => unknown

/** A server on this machine that does what a script says. */
export interface FakeChatServer extends AsyncDisposable {
  /** Ends in `/v1`. */
  readonly baseURL: string
  /** What came, health checks and lists of models left out. */
  readonly chats: readonly ChatCall[]
  readonly calls: readonly ChatCall[]
}

const MODELS = { object: 'list', data: [{ id: 'nvidia/NVLM-D-72B', object: 'model', max_model_len: 32_768 }] }

/** Lets pages of any origin in. */
const CORS = { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*, authorization' }

export async function startChatServer(script: ChatScript, port = 0): Promise<FakeChatServer> {
  const calls: ChatCall[] = []
  const server = createServer(async (request, response) => {
    for (const [name, value] of Object.entries(CORS)) response.setHeader(name, value)
    if (request.method === 'OPTIONS') return void response.writeHead(204).end()
    const call = await readCall(request, response)
    calls.push(call)
    const isDefault = call.path === '/v1/models' || call.path === '/health'
    if (isDefault && (await script(call, response)) === undefined && !response.writableEnded) {
      response.end(call.path === '/health' ? '' : JSON.stringify(MODELS))
    } else if (!isDefault) await script(call, response)
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return {
    baseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls,
    get chats() {
      return calls.filter(({ path }) => path === '/v1/chat/completions')
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function readCall(request: IncomingMessage, response: ServerResponse): Promise<ChatCall> {
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  const text = Buffer.concat(pieces).toString()
  const left = new Promise<void>(resolve => {
    response.on('close', () => {
      if (!response.writableFinished) resolve()
    })
  })
  return {
    method: request.method!,
    path: request.url!,
    headers: request.headers,
    body: text === '' ? {} : JSON.parse(text),
    left,
  }
}

/** What one event of a chat brings. */
export interface FakePiece {
  readonly text?: string
  readonly ids?: readonly number[]
  readonly finish?: string
  readonly calls?: readonly object[]
  readonly logprobs?: readonly object[]
  readonly usage?: object
}

/** An event as vLLM writes it. @see `vllm-wire.ts` */
export function chatEvent({ text, ids, finish, calls, logprobs, usage }: FakePiece): string {
  const choice = {
    index: 0,
    delta: { ...(text !== undefined && { content: text }), ...(calls && { tool_calls: calls }) },
    logprobs: logprobs ? { content: logprobs } : null,
    finish_reason: finish ?? null,
    token_ids: ids ?? null,
  }
  const chunk = {
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    created: 1,
    model: 'nvidia/NVLM-D-72B',
    choices: usage ? [] : [choice],
    ...(usage && { usage }),
  }
  return `data: ${JSON.stringify(chunk)}\n\n`
}

/** Begin a stream of events. */
export function openStream(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
}

/** Answer with pieces, the usage and the end. */
export function answerWith(response: ServerResponse, pieces: readonly FakePiece[], usage?: object): void {
  openStream(response)
  const counted = usage ?? { prompt_tokens: 7, total_tokens: 10, completion_tokens: 3 }
  const events = [...pieces, { usage: counted }].map(chatEvent)
  response.end(`${events.join('')}data: [DONE]\n\n`)
}

/** Answer with a text, one piece a word. */
export function answerText(response: ServerResponse, text: string): void {
  const words = text.split(/(?<= )/)
  const pieces = words.map((word, index) => ({ text: word, ids: [index + 100] }))
  answerWith(response, [{ text: '' }, ...pieces, { finish: 'stop' }])
}

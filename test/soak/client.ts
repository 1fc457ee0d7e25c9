import type { Ask } from './asks.js'

/** What came of one request, without what differs each time (ids, dates, how a stream was cut). */
export interface Outcome {
  readonly status: number
  /** Code of an error, also of one inside of a stream. */
  readonly code: string | undefined
  /** All text and calls. */
  readonly text: string
  /** Seconds after which to come again; 0 if nothing is said. */
  readonly retryAfter: number
}

/** Send one request, and read its answer to the end. Rejects when the connection breaks. */
export async function send(url: string, ask: Ask, signal?: AbortSignal): Promise<Outcome> {
  const response = await fetchAgain(`${url}${ask.path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(ask.body),
    ...(signal && { signal }),
  })
  const body = await response.text()
  const isStream = response.headers.get('content-type')?.startsWith('text/event-stream')
  const events = isStream ? readEvents(body) : [parse(body, response.status)]
  const code = events.find(event => event.error)?.error.code
  const retryAfter = Number(response.headers.get('retry-after') ?? 0)
  return { status: response.status, code, text: saidBy(events), retryAfter }
}

/**
 * Fetch, once more if the connection broke before an answer, as OpenAI's client does: a connection that is kept may be
 * closed by the server at the moment when it is used again.
 */
export async function fetchAgain(url: string, init?: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    return fetch(url, init)
  }
}

// biome-ignore lint/suspicious/noExplicitAny: answers of many forms, read loosely
type Json = any

function parse(text: string, status: number): Json {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error(`status ${status}, no JSON: "${text.slice(0, 200)}"`)
  }
}

function readEvents(body: string): readonly Json[] {
  const lines = body.split('\n').filter(line => line.startsWith('data: {'))
  return lines.map(line => parse(line.slice('data: '.length), 200))
}

/** The words, calls and endings of all objects or events together, by choice. */
function saidBy(events: readonly Json[]): string {
  const said: Record<string, string> = {}
  for (const event of events) {
    for (const { index, message, delta, finish_reason: reason } of event.choices ?? []) {
      const { content, tool_calls: calls = [] } = message ?? delta
      const called = calls.map(({ function: { name, arguments: args } }: Json) => `(${name} ${args})`)
      said[index] = [said[index], content, ...called, reason && ` ${reason}`].filter(Boolean).join('')
    }
    if (event.type === 'response.completed') said.output = event.response.output[0].content[0].text
  }
  return JSON.stringify(said)
}

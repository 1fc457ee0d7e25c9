import { NVLMError } from '../core/errors.js'

/** Most characters of one event, or of a line of one. */
export const MAX_EVENT_CHARS = 1_048_576

/**
 * The data of server-sent events, as they come.
 *
 * What is kept of the stream is never more than one event of `MAX_EVENT_CHARS` and one chunk of the connection.
 *
 * @param maxBytes - of the whole stream
 * @throws {NVLMError} REMOTE_FAILED for an event or a stream that is too long; what reading throws
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export async function* sseEvents(
  body: ReadableStream<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<string, void, undefined> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  const events = new EventLines()
  let numBytes = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      numBytes += value.byteLength
      if (numBytes > maxBytes) throw tooLong(`a stream of more than ${maxBytes} bytes`)
      yield* events.push(decoder.decode(value, { stream: true }))
    }
    yield* events.push(`${decoder.decode()}\n\n`)
  } finally {
    // frees the connection, also when the consumer left early
    await reader.cancel().catch(() => {})
  }
}

/** Cuts text into lines and lines into events. */
class EventLines {
  private held = ''
  private readonly data: string[] = []
  private numChars = 0

  /** Take text; gives the data of the events that it ends. */
  push(text: string): readonly string[] {
    this.held += text
    const ended: string[] = []
    let start = 0
    for (;;) {
      const end = this.lineEnd(start)
      if (end < 0) break
      const event = this.takeLine(this.held.slice(start, end))
      if (event !== undefined) ended.push(event)
      start = end + (this.held.startsWith('\r\n', end) ? 2 : 1)
    }
    this.held = this.held.slice(start)
    this.assertRoom(this.held.length)
    return ended
  }

  /** Place of the next line end; a CR at the very end waits for its LF. */
  private lineEnd(start: number): number {
    const lf = this.held.indexOf('\n', start)
    const cr = this.held.indexOf('\r', start)
    if (cr < 0 || (lf >= 0 && lf < cr)) return lf
    return cr === this.held.length - 1 ? -1 : cr
  }

  /** Take a line; gives the event that it ends. */
  private takeLine(line: string): string | undefined {
    if (line === '') {
      if (this.data.length === 0) return undefined
      const event = this.data.join('\n')
      this.data.length = 0
      this.numChars = 0
      return event
    }
    if (!line.startsWith('data:')) return undefined
    const data = line.slice(line.startsWith('data: ') ? 6 : 5)
    this.assertRoom(data.length)
    this.data.push(data)
    this.numChars += data.length + 1
    return undefined
  }

  private assertRoom(numChars: number): void {
    if (this.numChars + numChars > MAX_EVENT_CHARS) {
      throw tooLong(`an event of more than ${MAX_EVENT_CHARS} characters`)
    }
  }
}

function tooLong(what: string): NVLMError {
  return new NVLMError('REMOTE_FAILED', `the server sent ${what}`, {
    hint: 'No answer is that long: check that the URL is that of a chat server.',
  })
}

/** Time without an event after which a comment is sent, so that nobody in between takes the line for dead. */
const KEEPALIVE_MS = 15_000

/** Writes server-sent events. Waits while the client reads slower than the model writes. */
export interface EventWriter {
  /** @param event - its name, where clients ask for one */
  write(data: object | '[DONE]', event?: string): Promise<void>
}

/**
 * A response of server-sent events.
 *
 * @param produce - writes them; what it throws must be dealt with by itself
 * @param onCancel - the client went away
 */
export function eventStream(produce: (writer: EventWriter) => Promise<void>, onCancel: () => void): Response {
  const encoder = new TextEncoder()
  // several answers of one request are written at the same time
  let waiting: (() => void)[] = []
  const wake = () => {
    const woken = waiting
    waiting = []
    for (const resolve of woken) resolve()
  }
  let isOver = false
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (text: string) => {
        if (!isOver) controller.enqueue(encoder.encode(text))
      }
      let timer = setInterval(() => send(': keepalive\n\n'), KEEPALIVE_MS)
      const write: EventWriter['write'] = async (data, event) => {
        clearInterval(timer)
        timer = setInterval(() => send(': keepalive\n\n'), KEEPALIVE_MS)
        const text = typeof data === 'string' ? data : JSON.stringify(data)
        send(`${event === undefined ? '' : `event: ${event}\n`}data: ${text}\n\n`)
        while (!isOver && controller.desiredSize! <= 0) {
          await new Promise<void>(resolve => waiting.push(resolve))
        }
      }
      produce({ write }).finally(() => {
        clearInterval(timer)
        if (isOver) return
        isOver = true
        controller.close()
      })
    },
    pull() {
      wake()
    },
    cancel() {
      isOver = true
      wake()
      onCancel()
    },
  })
  return new Response(stream, {
    headers: { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' },
  })
}

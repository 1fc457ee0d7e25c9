import type { ServerResponse } from 'node:http'

/** Longest time that a client may read nothing while an answer waits for it. */
const MAX_STALL_MS = 30_000

/** Write a web Response. A client that stops reading is cut off; then the response's stream is cancelled. */
export async function writeResponse(response: Response, outgoing: ServerResponse): Promise<void> {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  const reader = response.body?.getReader()
  if (!reader) {
    outgoing.end()
    return
  }
  const onClose = () => reader.cancel().catch(() => {})
  outgoing.once('close', onClose)
  if (outgoing.destroyed) onClose()
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) break
      if (!outgoing.write(value) && !(await isDrained(outgoing))) return
    }
    outgoing.end()
  } catch {
    // the stream of an answer reports its failures itself; there is nothing left to say
    outgoing.destroy()
  } finally {
    if (outgoing.writableEnded) outgoing.off('close', onClose)
  }
}

function isDrained(outgoing: ServerResponse): Promise<boolean> {
  return new Promise(resolve => {
    const settle = (isOpen: boolean) => {
      clearTimeout(timer)
      outgoing.off('drain', onDrain)
      outgoing.off('close', onClose)
      resolve(isOpen)
    }
    const onDrain = () => settle(true)
    const onClose = () => settle(false)
    const timer = setTimeout(() => outgoing.destroy(), MAX_STALL_MS)
    outgoing.on('drain', onDrain)
    outgoing.on('close', onClose)
    if (outgoing.destroyed) onClose()
  })
}

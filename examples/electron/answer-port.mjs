// @ts-check
// Answers questions that come through a message port. It knows no Electron, so that it can be tried without.

/**
 * What both `MessagePortMain` of Electron and `MessagePort` of Node can do.
 *
 * @typedef {object} Port
 * @property {(message: Reply) => void} postMessage
 *
 * @typedef {{ type: 'ask', id: number, question: string, image?: Uint8Array } | { type: 'stop', id: number }} Call
 * @typedef {{ id: number, type: 'text', text: string } | { id: number, type: 'end' } | { id: number, type: 'error', message: string }} Reply
 */

/**
 * @param {import('nvlm-ts').NVLM} nvlm
 * @param {Port} port
 * @returns {(call: Call) => Promise<void>} takes what comes in; resolves when it is answered
 */
export function answerPort(nvlm, port) {
  /** @type {Map<number, AbortController>} */
  const running = new Map()

  return async call => {
    const { id } = call
    if (call.type === 'stop') return running.get(id)?.abort()
    const stop = new AbortController()
    running.set(id, stop)
    try {
      const images = call.image ? [call.image] : []
      const reply = nvlm.generate({ prompt: call.question, images, maxTokens: 300, signal: stop.signal })
      for await (const text of reply) port.postMessage({ id, type: 'text', text })
      port.postMessage({ id, type: 'end' })
    } catch (error) {
      if (stop.signal.aborted) port.postMessage({ id, type: 'end' })
      else
        port.postMessage({
          id,
          type: 'error',
          message: error instanceof Error ? error.message : String(error),
        })
    } finally {
      running.delete(id)
    }
  }
}

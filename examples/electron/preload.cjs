// @ts-check
// What the page may do: ask, and stop asking. It sees no Node, no files and no port.
const { contextBridge, ipcRenderer } = require('electron')

/** @type {Promise<MessagePort>} */
const connected = new Promise(resolve => {
  ipcRenderer.once('engine', ({ ports: [port] }) => {
    if (!port) return
    port.start()
    resolve(port)
  })
})
let lastId = 0

contextBridge.exposeInMainWorld('nvlm', {
  /**
   * @param {string} question
   * @param {Uint8Array | undefined} image - an encoded picture
   * @param {(text: string) => void} onText - called with each piece of the answer
   * @returns {Promise<void>} settles with the answer
   */
  async ask(question, image, onText) {
    const port = await connected
    const id = ++lastId
    return new Promise((resolve, reject) => {
      /** @param {MessageEvent} event */
      const take = ({ data }) => {
        if (data.id !== id) return
        if (data.type === 'text') return onText(data.text)
        port.removeEventListener('message', take)
        if (data.type === 'end') resolve(undefined)
        else reject(new Error(data.message))
      }
      port.addEventListener('message', take)
      port.postMessage({ type: 'ask', id, question, image })
    })
  },
  /** Stop what was asked last. */
  async stop() {
    const port = await connected
    port.postMessage({ type: 'stop', id: lastId })
  },
})

// @ts-check
// The main process: windows, and a direct line from each of them to the engine.
import { join } from 'node:path'
import { app, BrowserWindow, MessageChannelMain, utilityProcess } from 'electron'

const here = import.meta.dirname
/** Beside the app instead of inside its archive: ONNX Runtime opens weights by their path. */
const model = app.isPackaged ? join(process.resourcesPath, 'models', 'nvlm-tiny') : undefined

/** @type {Electron.UtilityProcess | undefined} */
let engine

function startEngine() {
  const started = utilityProcess.fork(join(here, 'engine.mjs'), model ? [model] : [], { serviceName: 'nvlm' })
  let isReady = false
  started.once('message', () => {
    isReady = true
  })
  started.once('exit', code => {
    engine = undefined
    if (code === 0) return
    console.error(`the engine ended with ${code}`)
    // pages connect to a new one when they load; one that never came up would do it again and again
    if (isReady) for (const window of BrowserWindow.getAllWindows()) window.reload()
  })
  engine = started
  return started
}

/** @param {BrowserWindow} window */
function connect(window) {
  const { port1, port2 } = new MessageChannelMain()
  // messages wait in the port until the model is loaded
  ;(engine ?? startEngine()).postMessage('window', [port1])
  window.webContents.postMessage('engine', null, [port2])
}

function openWindow() {
  const window = new BrowserWindow({
    width: 720,
    height: 640,
    webPreferences: { preload: join(here, 'preload.cjs'), contextIsolation: true, sandbox: true },
  })
  window.webContents.on('did-finish-load', () => connect(window))
  // a page of ours, and no other
  window.webContents.setWindowOpenHandler(() => ({ action: 'deny' }))
  window.webContents.on('will-navigate', event => event.preventDefault())
  void window.loadFile(join(here, 'index.html'))
}

await app.whenReady()
openWindow()
app.on('activate', () => {
  if (BrowserWindow.getAllWindows().length === 0) openWindow()
})
app.on('window-all-closed', () => {
  if (process.platform !== 'darwin') app.quit()
})
app.on('will-quit', () => engine?.postMessage('quit'))

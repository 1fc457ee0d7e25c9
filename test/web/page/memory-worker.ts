import { createWebBackend } from '../../../src/backend/web/onnxruntime-web-backend.js'
import { loadOrt } from '../../../src/backend/web/ort-module.js'
import { encodeModel } from '../../../src/formats/onnx/encode-model.js'
import { GraphBuilder, type Value } from '../../../src/graph/graph-builder.js'
import { browser } from '../../../src/platform/web/browser.js'

const FILE = 'weights.bin'
const SIZE = 4096
const MATRIX_BYTES = SIZE * SIZE * 4

/** `write` weights into the browser's file store, or `load` them from there with a build of the engine. */
type Task = readonly ['write', number] | readonly ['load', 'wasm' | 'jspi', number]

addEventListener('message', async ({ data }: MessageEvent<Task>) => {
  try {
    postMessage({ value: await (data[0] === 'write' ? write(data[1]) : load(data[1], data[2])) })
  } catch (error) {
    postMessage({ error: String(error) })
  }
})

async function write(numMatrices: number): Promise<number> {
  const folder = await browser.navigator.storage!.getDirectory!()
  const handle = await (await folder.getFileHandle(FILE, { create: true })).createSyncAccessHandle!()
  const values = Float32Array.from({ length: SIZE * 64 }, (_, i) => Math.sin(i * i * 0.37) / 40)
  const piece = new Uint8Array(values.buffer)
  const bytes = numMatrices * MATRIX_BYTES
  for (let at = 0; at < bytes; at += piece.byteLength) handle.write(piece, { at })
  handle.flush()
  handle.close()
  return bytes
}

async function load(build: 'wasm' | 'jspi', numMatrices: number): Promise<number> {
  const graph = new GraphBuilder('large')
  let x: Value = graph.input('x', 'float32', ['rows', SIZE])
  for (let matrix = 0; matrix < numMatrices; matrix++) {
    const place = { file: FILE, offset: matrix * MATRIX_BYTES, byteLength: MATRIX_BYTES }
    x = graph.op('MatMul', [x, graph.external(`w${matrix}`, 'float32', [SIZE, SIZE], place)])
  }
  graph.output('y', x, 'float32', ['rows', SIZE])
  const folder = await browser.navigator.storage!.getDirectory!()
  const data = await (await folder.getFileHandle(FILE)).getFile()
  const backend = createWebBackend({
    loadWasm: async () => {
      const ort = await loadOrt(build)
      ort.env.wasm.numThreads = 1
      return ort
    },
    locate: async ({ model }) => ({ model, data: [{ path: FILE, data }] }),
  })
  const source = { model: encodeModel(graph.build()), dataFolder: '', name: 'large' }
  const session = await backend.createSession(source, { device: 'wasm' })
  const feeds = { x: { type: 'float32' as const, data: new Float32Array(SIZE).fill(1), dims: [1, SIZE] } }
  const { y } = await session.run(feeds)
  return (y!.data as Float32Array)[0]!
}

import type { Device, GraphSource } from '../../backend/backend.js'
import type { DataFile, LocatedGraph } from '../../backend/web/onnxruntime-web-backend.js'
import { externalFiles } from '../../formats/onnx/external-files.js'
import { replaceFusedMatMul } from '../../formats/onnx/replace-fused-matmul.js'
import { type Bfloat16Place, widenBfloat16, widenBytes } from '../../formats/onnx/widen-bfloat16.js'
import type { BlobFiles } from '../../platform/web/blob-files.js'

/** Name of the file of widened weights; only the engine sees it. */
const WIDENED_FILE = 'nvlm-widened-bfloat16'

/** Bytes of bfloat16 that are widened at a time. */
const PIECE_BYTES = 2 ** 24

/**
 * Find the weights of a graph, in a form that the device takes.
 *
 * For WebGPU bfloat16 becomes float32: the builds for it have no bfloat16 on the processor, which would widen the
 * weights as it loads them (onnxruntime-web 1.30.0). It takes twice their bytes until the engine has loaded. And products
 * become ones that WebGPU has.
 */
export async function locateGraph(
  files: BlobFiles,
  { model, dataFolder }: GraphSource,
  device: Device,
): Promise<LocatedGraph> {
  const data = [...externalFiles(model)].map(path => ({
    path,
    data: files.blob(files.join(dataFolder, path)),
  }))
  return device === 'webgpu' ? widenGraph(replaceFusedMatMul(model), data) : { model, data }
}

async function widenGraph(model: Uint8Array, data: readonly DataFile[]): Promise<LocatedGraph> {
  const widened = widenBfloat16(model, WIDENED_FILE)
  const pieces: Blob[] = []
  for (const place of widened.places) pieces.push(...(await widenPlace(place, data)))
  // what nothing names any more is not given to the engine, which may read files whole
  const needed = externalFiles(widened.model)
  const all = [...data, { path: WIDENED_FILE, data: new Blob(pieces) }]
  return { model: widened.model, data: all.filter(({ path }) => needed.has(path)) }
}

async function widenPlace({ file, offset, byteLength }: Bfloat16Place, data: readonly DataFile[]) {
  const source = data.find(({ path }) => path === file)!.data
  const pieces: Blob[] = []
  for (let at = 0; at < byteLength; at += PIECE_BYTES) {
    const end = offset + Math.min(byteLength, at + PIECE_BYTES)
    const bytes = new Uint8Array(await source.slice(offset + at, end).arrayBuffer())
    // a Blob may lie on the disk; an array would stay in memory
    pieces.push(new Blob([widenBytes(bytes)]))
  }
  return pieces
}

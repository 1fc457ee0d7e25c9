import { NVLMError } from '../core/errors.js'
import { baseName } from '../formats/file-name.js'
import type { Files, FolderPublisher, FolderWriter } from '../platform/platform.js'
import { type BuiltModel, buildModel } from './build-model.js'
import { MANIFEST_NAME, type Manifest, manifestHeader } from './manifest.js'
import { safetensorsHeaderHash } from './safetensors-header-hash.js'
import { sha256Hex } from './sha256.js'

/** Files that are copied into a prepared folder when the checkpoint has them. */
const COPIED = [
  'config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'vocab.json',
  'merges.txt',
  'added_tokens.json',
  'special_tokens_map.json',
  'generation_config.json',
]
const MAX_COPIED_BYTES = 64_000_000

/** Progress of a preparation: steps done of a known number. */
export interface PrepareProgress {
  readonly step: 'read' | 'build' | 'write'
  readonly done: number
  readonly total: number
}

/** How a checkpoint is prepared. */
export interface PrepareOptions {
  /** Folder to make; it must not exist. */
  readonly out: string
  readonly onProgress?: ((progress: PrepareProgress) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Turn a checkpoint folder into a prepared one: graphs, settings, tokenizer files and a manifest.
 *
 * Weights are not copied: the graphs read them from the checkpoint, which must stay where it is relative to the
 * prepared folder. The folder appears whole or not at all.
 *
 * @throws {NVLMError} OUTPUT_EXISTS, OUTPUT_FAILED, MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED; the signal's
 * reason on abort
 */
export async function prepareCheckpoint(
  files: Files,
  publisher: FolderPublisher,
  checkpointFolder: string,
  options: PrepareOptions,
): Promise<Manifest> {
  const { out, onProgress, signal } = options
  if ((await files.stat(files.join(checkpointFolder, MANIFEST_NAME))) !== undefined) {
    throw new NVLMError('INVALID_OPTION', `${checkpointFolder}: is a prepared folder already`, {
      hint: 'Name the folder of the original checkpoint.',
    })
  }
  let manifest: Manifest | undefined
  await publisher.publish(out, async writer => {
    signal?.throwIfAborted()
    onProgress?.({ step: 'build', done: 0, total: 1 })
    const model = await buildModel(files, checkpointFolder)
    onProgress?.({ step: 'build', done: 1, total: 1 })
    signal?.throwIfAborted()
    manifest = await writeFolder(files, writer, model, files.resolve(out), options)
    signal?.throwIfAborted()
  })
  return manifest!
}

async function writeFolder(
  files: Files,
  writer: FolderWriter,
  model: BuiltModel,
  out: string,
  { onProgress, signal }: PrepareOptions,
): Promise<Manifest> {
  const write = async (name: string, bytes: Uint8Array) => {
    signal?.throwIfAborted()
    await writer.write(name, bytes)
    return { file: name, bytes: bytes.byteLength, sha256: await sha256Hex(Uint8Array.from(bytes)) }
  }
  const { vision, projector, decoder } = model.graphs
  const graphs = {
    ...(vision && { vision: await write('vision.onnx', vision) }),
    ...(projector && { projector: await write('projector.onnx', projector) }),
    decoder: await write('decoder.onnx', decoder),
  }
  const copies: Manifest['copies'] = []
  for (const name of COPIED) {
    const path = files.join(model.folder, name)
    if ((await files.stat(path)) !== undefined)
      copies.push(await write(name, await files.read(path, MAX_COPIED_BYTES)))
  }
  const manifest: Manifest = {
    ...manifestHeader,
    family: model.config.family,
    dtype: { vision: 'fp32', projector: 'fp32', decoder: 'fp32' },
    graphs,
    copies,
    checkpoint: {
      folder: files.relative(out, files.resolve(model.folder)),
      totalBytes: model.weightBytes,
      files: await describeWeightFiles(files, model, { onProgress, signal }),
    },
    embedding: embeddingOf(model),
  }
  await writer.write(MANIFEST_NAME, new TextEncoder().encode(`${JSON.stringify(manifest, null, 2)}\n`))
  return manifest
}

async function describeWeightFiles(
  files: Files,
  model: BuiltModel,
  { onProgress, signal }: Pick<PrepareOptions, 'onProgress' | 'signal'>,
): Promise<Manifest['checkpoint']['files']> {
  const described: Manifest['checkpoint']['files'] = []
  const { files: weightFiles } = model.checkpoint
  for (const { path, name, size } of weightFiles) {
    signal?.throwIfAborted()
    const headerSha256 = await safetensorsHeaderHash(files, path)
    described.push({ name, location: model.locations.get(path)!, bytes: size, headerSha256 })
    onProgress?.({ step: 'write', done: described.length, total: weightFiles.length })
  }
  return described
}

function embeddingOf({ embedding }: BuiltModel): Manifest['embedding'] {
  const { path, dtype, vocabSize, hiddenSize, offset } = embedding
  return { file: baseName(path), dtype, vocabSize, hiddenSize, offset }
}

import { NVLMError } from '../core/errors.js'
import type { Files } from '../platform/platform.js'
import { requireListedWeights, requireOwnFile } from './contained-weights.js'
import { isManifestWhole, MANIFEST_NAME, type Manifest, parseManifest } from './manifest.js'
import { readModelConfig } from './read-model-config.js'
import type { BatchGraphs, RunnableModel } from './runnable-model.js'
import { safetensorsHeaderHash } from './safetensors-header-hash.js'
import { sha256Hex } from './sha256.js'

const MAX_MANIFEST_BYTES = 10_000_000
const MAX_GRAPH_BYTES = 1_000_000_000
const AGAIN = 'Prepare the checkpoint again.'

/**
 * Open a prepared folder: check its own files by hash and the checkpoint's by size and header.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED naming the file
 */
export async function openPrepared(files: Files, folder: string): Promise<RunnableModel> {
  const manifestPath = files.join(folder, MANIFEST_NAME)
  const manifest = await readManifest(files, folder)
  for (const copy of manifest.copies) await readChecked(files, folder, copy)
  const config = await readModelConfig(files, folder)
  if (config.family !== manifest.family) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${manifestPath}: family is ${manifest.family}, config.json is of ${config.family}`,
      { hint: AGAIN },
    )
  }
  const fusion = config.vision?.fusion
  if (manifest.fusion !== undefined && manifest.fusion !== fusion) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${manifestPath}: fusion is ${manifest.fusion}, config.json says ${fusion ?? 'nothing of pictures'}`,
      { hint: AGAIN },
    )
  }
  const { vision, projector, decoder, crossKeys } = manifest.graphs
  if ((crossKeys !== undefined) !== (config.decoder.crossAttention !== undefined)) {
    throw new NVLMError('MODEL_INVALID', `${manifestPath}: graphs do not fit config.json's cross_attention`, {
      hint: AGAIN,
    })
  }
  const graphs = {
    vision: vision && (await readChecked(files, folder, vision)),
    projector: projector && (await readChecked(files, folder, projector)),
    decoder: await readChecked(files, folder, decoder),
    crossKeys: crossKeys && (await readChecked(files, folder, crossKeys)),
  }
  const { checkpoint, data } = manifest
  const names = new Set(checkpoint?.files.map(file => file.location) ?? data.map(({ file }) => file))
  requireListedWeights(folder, graphs, names)
  const weights = await findWeights(files, folder, manifest)
  const batchGraphs = manifest.batchGraphs && readBatchGraphs(files, folder, manifest.batchGraphs, names)
  return { folder, config, graphs, batchGraphs, isPrepared: true, dtypes: manifest.dtype, ...weights }
}

function readBatchGraphs(
  files: Files,
  folder: string,
  parts: NonNullable<Manifest['batchGraphs']>,
  names: ReadonlySet<string>,
): BatchGraphs | undefined {
  return async numSlots => {
    const part = parts.find(({ slots }) => slots === numSlots)
    if (part) {
      const decoder = await readChecked(files, folder, part)
      requireListedWeights(folder, { decoder }, names)
      return decoder
    }
    throw new NVLMError(
      'MODEL_INVALID',
      `${files.join(folder, MANIFEST_NAME)}: has no graph of ${numSlots} slots`,
      { hint: AGAIN },
    )
  }
}

/** Check the weight files, and say where they lie. */
async function findWeights(
  files: Files,
  folder: string,
  { checkpoint, data, embedding }: Manifest,
): Promise<Pick<RunnableModel, 'dataFolder' | 'embedding' | 'weightBytes'>> {
  const { pieces, ...table } = embedding
  const weightFolder = checkpoint ? files.join(folder, checkpoint.folder) : folder
  const place = {
    ...table,
    pieces: pieces.map(({ file: _, ...piece }) => piece),
    paths: pieces.map(({ file }) => files.join(weightFolder, file)),
  }
  if (checkpoint) {
    const dataFolder = await findDataFolder(files, weightFolder, checkpoint)
    return { dataFolder, embedding: place, weightBytes: checkpoint.totalBytes }
  }
  for (const { file, bytes } of data) {
    const path = files.join(folder, file)
    const info = await files.stat(path)
    if (info !== undefined) await requireOwnFile(files, folder, file)
    if (info?.size === bytes) continue
    const code = info === undefined ? 'MODEL_NOT_FOUND' : 'MODEL_INVALID'
    const problem =
      info === undefined ? 'data file does not exist' : `has ${info.size} bytes, expected ${bytes}`
    throw new NVLMError(code, `${path}: ${problem}`, { hint: AGAIN })
  }
  const weightBytes = data.reduce((sum, { bytes }) => sum + bytes, 0)
  return { dataFolder: await files.realPath(folder), embedding: place, weightBytes }
}

/**
 * Read the manifest of a prepared folder.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED
 */
export async function readManifest(files: Files, folder: string): Promise<Manifest> {
  const path = files.join(folder, MANIFEST_NAME)
  const bytes = await files.read(path, MAX_MANIFEST_BYTES)
  const manifest = parseManifest(bytes, path)
  if (await isManifestWhole(bytes)) return manifest
  throw new NVLMError('MODEL_INVALID', `${path}: was changed after it was written`, { hint: AGAIN })
}

async function readChecked(
  files: Files,
  folder: string,
  part: Manifest['graphs']['decoder'],
): Promise<Uint8Array> {
  const path = files.join(folder, part.file)
  const bytes = await files.read(path, MAX_GRAPH_BYTES)
  if (bytes.byteLength !== part.bytes || (await sha256Hex(Uint8Array.from(bytes))) !== part.sha256) {
    throw new NVLMError('MODEL_INVALID', `${path}: differs from what ${MANIFEST_NAME} says of it`, {
      hint: AGAIN,
    })
  }
  return bytes
}

/** Check the weight files and find the folder that the names in the graphs are relative to. */
async function findDataFolder(
  files: Files,
  checkpointFolder: string,
  checkpoint: NonNullable<Manifest['checkpoint']>,
): Promise<string> {
  let dataFolder: string | undefined
  for (const { name, location, bytes, headerSha256 } of checkpoint.files) {
    const path = files.join(checkpointFolder, name)
    const info = await files.stat(path)
    if (info === undefined) {
      throw new NVLMError('MODEL_NOT_FOUND', `${path}: weight file does not exist`, {
        hint: 'A prepared folder reads the weights of its checkpoint: move both together, or prepare again.',
      })
    }
    if (info.size !== bytes || (await safetensorsHeaderHash(files, path)) !== headerSha256) {
      throw new NVLMError(
        'MODEL_INVALID',
        `${path}: changed since the model was prepared (${info.size} bytes, then ${bytes})`,
        { hint: AGAIN },
      )
    }
    const realPath = await files.realPath(path)
    const folder = folderOf(files, realPath, location)
    if (folder === undefined || (dataFolder ?? folder) !== folder) {
      throw new NVLMError(
        'MODEL_INVALID',
        `${path}: its real file ${realPath} is not where the graphs look for ${location}`,
        { hint: AGAIN },
      )
    }
    dataFolder = folder
  }
  return dataFolder!
}

/** The folder below which `location` is `realPath`; undefined if there is none. */
function folderOf(files: Files, realPath: string, location: string): string | undefined {
  const parts = location.split('/')
  if (parts.some(part => part === '..' || part === '.' || part === '')) return undefined
  const folder = files.join(realPath, ...parts.map(() => '..'))
  return files.join(folder, ...parts) === realPath ? folder : undefined
}

import { NVLMError } from '../core/errors.js'
import type { Files } from '../platform/platform.js'
import { readModelConfig } from './build-model.js'
import { MANIFEST_NAME, type Manifest, parseManifest } from './manifest.js'
import type { RunnableModel } from './runnable-model.js'
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
  const manifest = parseManifest(await files.read(manifestPath, MAX_MANIFEST_BYTES), manifestPath)
  for (const copy of manifest.copies) await readChecked(files, folder, copy)
  const config = await readModelConfig(files, folder)
  if (config.family !== manifest.family) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${manifestPath}: family is ${manifest.family}, config.json is of ${config.family}`,
      { hint: AGAIN },
    )
  }
  const { vision, projector, decoder } = manifest.graphs
  const graphs = {
    vision: vision && (await readChecked(files, folder, vision)),
    projector: projector && (await readChecked(files, folder, projector)),
    decoder: await readChecked(files, folder, decoder),
  }
  const checkpointFolder = files.join(folder, manifest.checkpoint.folder)
  const dataFolder = await findDataFolder(files, checkpointFolder, manifest.checkpoint)
  const { file, ...embedding } = manifest.embedding
  return {
    folder,
    config,
    graphs,
    dataFolder,
    embedding: { ...embedding, path: files.join(checkpointFolder, file) },
    weightBytes: manifest.checkpoint.totalBytes,
  }
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
  checkpoint: Manifest['checkpoint'],
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

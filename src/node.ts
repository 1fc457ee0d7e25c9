import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { onnxruntimeNodeBackend } from './backend/node/onnxruntime-node-backend.js'
import { listCachedModels, removeCachedModel, verifyCachedModel } from './hub/model-cache.js'
import { ImageTiler as AnyImageTiler } from './image/image-tiler.js'
import type { ImageTilerOptions } from './image/image-tiler-options.js'
import { type DownloadOptions, downloadModel as downloadAny } from './nvlm/download-model.js'
import { folderToLoad, type SourceHost } from './nvlm/folder-to-load.js'
import type { InspectOptions, ModelInspection } from './nvlm/inspect-model.js'
import { inspectSource } from './nvlm/inspect-source.js'
import { loadModel } from './nvlm/load-model.js'
import { type LoadOptions, parseLoadOptions } from './nvlm/load-options.js'
import { loadStages as loadFolder } from './nvlm/load-stages.js'
import { NVLM as AnyNVLM } from './nvlm/nvlm.js'
import { openTokenizer } from './nvlm/open-tokenizer.js'
import { resolveModel } from './nvlm/resolve-model.js'
import { type SourceOptions, splitSourceOptions } from './nvlm/source-options.js'
import { parseStageOptions, type StageOptions } from './nvlm/stage-options.js'
import type { Stages } from './nvlm/stages.js'
import { startConvertThreads } from './nvlm/worker/convert-threads.js'
import { nodeEngineRuntime, nodeHost } from './nvlm/worker/node-host.js'
import { nodeHubPlatform as hub } from './platform/node/hub/node-hub-platform.js'
import type { Manifest } from './prepare/manifest.js'
import { prepareCheckpoint as prepareFolder } from './prepare/prepare-checkpoint.js'
import { type PrepareOptions, parsePrepareOptions } from './prepare/prepare-options.js'
import { type Verification, type VerifyOptions, verifyModel as verifyFolder } from './prepare/verify-model.js'
import { isRemote, type RemoteLoadOptions } from './remote/remote-options.js'
import { Tokenizer as AnyTokenizer } from './tokenizer/tokenizer.js'

export * from './index.js'
export { onnxruntimeNodeBackend }

/** The model that comes with the package: a tiny NVLM-D that reads signs and sees shapes. */
export const defaultModelFolder: string = fileURLToPath(
  new URL('../examples/models/nvlm-tiny', import.meta.url),
)

const runtime = nodeEngineRuntime(
  new URL('./engine-worker.js', import.meta.url),
  new URL('./engine-process.js', import.meta.url),
)
const convertWorkerUrl = new URL('./convert-worker.js', import.meta.url)
const { platform } = nodeHost
const sourceHost: SourceHost = { hub, prepare: prepareFolderHere }

/** A checkpoint folder, converted with all cores of this machine; one thread more, since some wait for the disk. */
function prepareFolderHere(folder: string, options: PrepareOptions): Promise<Manifest> {
  return prepareFolder(platform.files, platform.publisher, folder, options, {
    startConverter: (numThreads = availableParallelism() + 1) =>
      startConvertThreads(convertWorkerUrl, numThreads),
  })
}

/** A loaded vision-language model: pictures and text in, text out. */
export class NVLM extends AnyNVLM {
  /**
   * Load a model.
   *
   * @param model - a checkpoint folder as published, one made by `prepareCheckpoint`, or a name on the hub such as
   * `OpenGVLab/InternVL3-1B`, which is downloaded unless it is in the cache; default: the tiny model of this package
   * @throws {NVLMError} INVALID_OPTION, MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED, BACKEND_UNAVAILABLE,
   * BACKEND_FAILED, ENGINE_FAILED; for a name also OFFLINE, UNAUTHORIZED, DOWNLOAD_FAILED, INTEGRITY, OUTPUT_FAILED;
   * the signal's reason on abort
   */
  static async load(model?: string, options?: LoadOptions & SourceOptions): Promise<NVLM>
  /**
   * Get in touch with a model on a server that speaks OpenAI's protocol: vLLM, or `nvlm serve`.
   *
   * @throws {NVLMError} INVALID_OPTION, REMOTE_FAILED, UNAUTHORIZED, MODEL_NOT_FOUND; the signal's reason on abort
   */
  static async load(options: RemoteLoadOptions): Promise<NVLM>
  static async load(
    model: string | RemoteLoadOptions = defaultModelFolder,
    options: LoadOptions & SourceOptions = {},
  ): Promise<NVLM> {
    if (isRemote(model)) {
      const { loadRemote } = await import('./remote/load-remote.js')
      const { diagnostics, imageDecoder: decoder } = platform
      const loaded = await loadRemote(model, { diagnostics, decoder, passesUrls: true })
      return new NVLM(loaded.client, loaded.surroundings)
    }
    const { source, rest } = splitSourceOptions(options, 'load')
    // wrong options show before anything is downloaded
    const needs = parseLoadOptions(rest)
    const folder = await folderToLoad(sourceHost, model, source, needs)
    const { client, surroundings } = await loadModel(folder, rest, runtime, platform)
    return new NVLM(client, surroundings)
  }

  /** The same as `inspectModel`. */
  static inspect(model?: string, options?: InspectOptions & SourceOptions): Promise<ModelInspection> {
    return inspectModel(model, options)
  }
}

/**
 * Load the five layers of a model, to use them one by one. They run in the calling thread.
 *
 * @param model - as for `NVLM.load`
 * @throws {NVLMError} as `NVLM.load`
 */
export async function loadStages(
  model: string = defaultModelFolder,
  options: StageOptions & SourceOptions = {},
): Promise<Stages> {
  const { source, rest } = splitSourceOptions(options, 'loadStages')
  const folder = await folderToLoad(sourceHost, model, source, parseStageOptions(rest))
  return loadFolder(nodeHost, folder, rest)
}

/** Text ↔ token ids, and conversations → prompts, exactly as the official code does. */
export class Tokenizer extends AnyTokenizer {
  /**
   * Open the tokenizer of a model: vocab.json + merges.txt + tokenizer_config.json, or tokenizer.json. Of a model on
   * the hub these files are downloaded, and no weights.
   *
   * @param model - as for `NVLM.load`
   * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED naming the file; for a name as `NVLM.load`
   */
  static async load(model: string = defaultModelFolder, options: SourceOptions = {}): Promise<AnyTokenizer> {
    const { source } = splitSourceOptions(options, 'Tokenizer.load')
    return openTokenizer(platform.files, await resolveModel(hub, model, source, { selection: 'tokenizer' }))
  }
}

/** Any picture → tiles, pixel for pixel as the official code cuts them. Pictures are decoded by sharp. */
export class ImageTiler extends AnyImageTiler {
  /** @throws {NVLMError} INVALID_OPTION */
  constructor(options: ImageTilerOptions = {}) {
    super(options, platform.imageDecoder)
  }
}

/**
 * Turn a checkpoint folder into a prepared one: by default graphs that read its weights where they lie, with a `dtype` a
 * folder with converted weights of its own. A conversion that was killed goes on where it was when it is run again.
 *
 * @param checkpoint - a checkpoint folder, or a name on the hub
 * @throws {NVLMError} INVALID_OPTION, OUTPUT_EXISTS, OUTPUT_FAILED, MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED,
 * NUMERIC; the signal's reason on abort
 */
export async function prepareCheckpoint(
  checkpoint: string,
  options: PrepareOptions & SourceOptions & Pick<DownloadOptions, 'logger'>,
): Promise<Manifest> {
  const { source, rest } = splitSourceOptions(options, 'prepare')
  const { logger, ...prepareOptions } = rest
  // wrong options show before anything is downloaded
  const { signal, onProgress } = parsePrepareOptions(prepareOptions)
  const folder = await downloadAny(hub, checkpoint, source, {
    ...{ logger, signal },
    onProgress: progress => onProgress?.({ step: 'download', ...progress }),
  })
  return prepareFolderHere(folder, prepareOptions)
}

/**
 * Bring a model into the cache without loading it.
 *
 * @param model - a name on the hub, such as `OpenGVLab/InternVL3-1B`
 * @returns its folder; a path is given back as it is
 * @throws {NVLMError} as `NVLM.load`
 */
export async function downloadModel(
  model: string,
  options: SourceOptions & DownloadOptions = {},
): Promise<string> {
  const { source, rest } = splitSourceOptions(options, 'download')
  return downloadAny(hub, model, source, rest)
}

/**
 * Check every byte of a prepared folder against the hashes in its manifest: graphs, settings, tokenizer files and data
 * files. Weights that are read in place are checked as far as their hash was recorded (`hashWeights`).
 *
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID if there is no readable manifest; the signal's reason on abort
 */
export function verifyModel(folder: string, options: VerifyOptions = {}): Promise<Verification> {
  return verifyFolder(platform.files, folder, options)
}

/**
 * Look into a model without reading its weights. Of one on the hub nothing is downloaded but settings and headers.
 *
 * @param model - as for `NVLM.load`
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED naming the file; for a name as `NVLM.load`
 */
export async function inspectModel(
  model: string = defaultModelFolder,
  options: InspectOptions & SourceOptions = {},
): Promise<ModelInspection> {
  const { source, rest } = splitSourceOptions(options, 'inspect')
  return inspectSource(hub, model, source, rest, onnxruntimeNodeBackend.devices)
}

/** Options of a call without the machine it runs on. */
type CacheCall<Work extends (...args: never) => unknown> =
  Parameters<Work> extends [unknown, ...infer Rest] ? (...rest: Rest) => ReturnType<Work> : never

/** The models that were downloaded by name; the folder is shared with Python's `huggingface_hub`. */
export const modelCache: {
  readonly list: CacheCall<typeof listCachedModels>
  readonly remove: CacheCall<typeof removeCachedModel>
  readonly verify: CacheCall<typeof verifyCachedModel>
} = {
  list: location => listCachedModels(hub, location),
  remove: (name, options) => removeCachedModel(hub, name, options),
  verify: (name, options) => verifyCachedModel(hub, name, options),
}

import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { ImageTiler as AnyImageTiler } from './image/image-tiler.js'
import type { ImageTilerOptions } from './image/image-tiler-options.js'
import {
  type InspectOptions,
  inspectModel as inspectFolder,
  type ModelInspection,
} from './nvlm/inspect-model.js'
import { loadModel } from './nvlm/load-model.js'
import type { LoadOptions } from './nvlm/load-options.js'
import { loadStages as loadFolder } from './nvlm/load-stages.js'
import { NVLM as AnyNVLM } from './nvlm/nvlm.js'
import { openTokenizer } from './nvlm/open-tokenizer.js'
import type { StageOptions } from './nvlm/stage-options.js'
import type { Stages } from './nvlm/stages.js'
import { startConvertThreads } from './nvlm/worker/convert-threads.js'
import { nodeEngineRuntime, nodeHost } from './nvlm/worker/node-host.js'
import type { Manifest } from './prepare/manifest.js'
import { prepareCheckpoint as prepareFolder } from './prepare/prepare-checkpoint.js'
import type { PrepareOptions } from './prepare/prepare-options.js'
import { type Verification, type VerifyOptions, verifyModel as verifyFolder } from './prepare/verify-model.js'
import { Tokenizer as AnyTokenizer } from './tokenizer/tokenizer.js'

export { onnxruntimeNodeBackend } from './backend/node/onnxruntime-node-backend.js'
export * from './index.js'

/** The model that comes with the package: a tiny NVLM-D that reads signs and sees shapes. */
export const defaultModelFolder: string = fileURLToPath(
  new URL('../examples/models/nvlm-tiny', import.meta.url),
)

const runtime = nodeEngineRuntime(new URL('./engine-worker.js', import.meta.url))
const convertWorkerUrl = new URL('./convert-worker.js', import.meta.url)
const { platform } = nodeHost

/** A loaded vision-language model: pictures and text in, text out. */
export class NVLM extends AnyNVLM {
  /**
   * Load a model.
   *
   * @param folder - a checkpoint folder as published, or one made by `prepareCheckpoint`; default: the tiny model of
   * this package
   * @throws {NVLMError} INVALID_OPTION, MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED, BACKEND_UNAVAILABLE,
   * BACKEND_FAILED, ENGINE_FAILED; the signal's reason on abort
   */
  static async load(folder: string = defaultModelFolder, options: LoadOptions = {}): Promise<NVLM> {
    const { client, surroundings } = await loadModel(folder, options, runtime, platform)
    return new NVLM(client, surroundings)
  }
}

/**
 * Load the five layers of a model, to use them one by one. They run in the calling thread.
 *
 * @param folder - as for `NVLM.load`
 * @throws {NVLMError} as `NVLM.load`
 */
export function loadStages(folder: string = defaultModelFolder, options: StageOptions = {}): Promise<Stages> {
  return loadFolder(nodeHost, folder, options)
}

/** Text ↔ token ids, and conversations → prompts, exactly as the official code does. */
export class Tokenizer extends AnyTokenizer {
  /**
   * Open the tokenizer of a model folder: vocab.json + merges.txt + tokenizer_config.json, or tokenizer.json.
   *
   * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED naming the file
   */
  static load(folder: string = defaultModelFolder): Promise<AnyTokenizer> {
    return openTokenizer(platform.files, folder)
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
 * @throws {NVLMError} INVALID_OPTION, OUTPUT_EXISTS, OUTPUT_FAILED, MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED,
 * NUMERIC; the signal's reason on abort
 */
export function prepareCheckpoint(checkpointFolder: string, options: PrepareOptions): Promise<Manifest> {
  return prepareFolder(platform.files, platform.publisher, checkpointFolder, options, {
    startConverter: (numThreads = availableParallelism()) =>
      startConvertThreads(convertWorkerUrl, numThreads),
  })
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
 * Look into a model folder without reading its weights.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND, MODEL_INVALID or MODEL_UNSUPPORTED naming the file
 */
export function inspectModel(
  folder: string = defaultModelFolder,
  options: InspectOptions = {},
): Promise<ModelInspection> {
  return inspectFolder(platform.files, folder, options)
}

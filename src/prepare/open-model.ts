import { NVLMError } from '../core/errors.js'
import type { Files } from '../platform/platform.js'
import { buildModel } from './build-model.js'
import { MANIFEST_NAME } from './manifest.js'
import { openPrepared } from './prepared-model.js'
import type { RunnableModel } from './runnable-model.js'

/**
 * Open a model folder of either kind: a prepared one as it is, a checkpoint by building its graphs in memory.
 *
 * @throws {NVLMError} MODEL_NOT_FOUND naming what was looked for; MODEL_INVALID, MODEL_UNSUPPORTED
 */
export async function openModel(files: Files, folder: string): Promise<RunnableModel> {
  return (await isPreparedFolder(files, folder)) ? openPrepared(files, folder) : buildModel(files, folder)
}

/**
 * Was a model folder made by `prepareCheckpoint`, or is it a checkpoint as published?
 *
 * @throws {NVLMError} MODEL_NOT_FOUND if it is neither
 */
export async function isPreparedFolder(files: Files, folder: string): Promise<boolean> {
  const info = await files.stat(folder)
  if (info?.kind !== 'directory') {
    const problem = info === undefined ? 'does not exist' : 'is a file; expected a folder'
    throw new NVLMError('MODEL_NOT_FOUND', `${folder}: ${problem}`, {
      hint: 'Name a checkpoint folder (config.json, tokenizer files, .safetensors) or a prepared folder (nvlm.json).',
    })
  }
  if ((await files.stat(files.join(folder, MANIFEST_NAME))) !== undefined) return true
  if ((await files.stat(files.join(folder, 'config.json'))) === undefined) {
    throw new NVLMError('MODEL_NOT_FOUND', `${folder}: has neither config.json nor ${MANIFEST_NAME}`, {
      hint: 'Name a checkpoint folder (config.json, tokenizer files, .safetensors) or a prepared folder (nvlm.json).',
    })
  }
  return false
}

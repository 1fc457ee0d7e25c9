import { NVLMError } from '../core/errors.js'
import type { ComingDownload } from '../hub/ensure-model.js'
import type { HubPlatform } from '../platform/hub-platform.js'
import type { Files } from '../platform/platform.js'
import { manifestHeader } from '../prepare/manifest.js'
import type { PrepareOptions, PrepareProgress } from '../prepare/prepare-options.js'
import { openPrepared } from '../prepare/prepared-model.js'
import { readModelConfig } from '../prepare/read-model-config.js'
import {
  describeDtypes,
  dtypePresets,
  isInPlace,
  parseDtype,
  type StageDtypes,
} from '../prepare/stage-dtypes.js'
import { inspectModel } from './inspect-model.js'
import { hubNameOf, type ResolveHooks, resolveModel } from './resolve-model.js'
import type { SourceOptions } from './source-options.js'
import type { LoadProgress, StageOptions } from './stage-options.js'

/** What models by name take of the entry file. */
export interface SourceHost {
  readonly hub: HubPlatform
  readonly prepare: (checkpoint: string, options: PrepareOptions) => Promise<unknown>
}

/** The options of loading that decide what is needed. */
export type LoadNeeds = Pick<StageOptions, 'dtype' | 'contextLength' | 'signal' | 'onProgress'> &
  Pick<ResolveHooks, 'logger'>

/**
 * The folder to load for a model that is given as a path or by name.
 *
 * A name is resolved, the model is checked against the memory of the machine before anything large is downloaded, and
 * with a `dtype` that is not the checkpoint's own it is converted once, into a folder beside the snapshot. So are weights
 * that were published quantised, which the engine wants in another order.
 *
 * @throws {NVLMError} as `ensureModel` and `inspectModel`, and as `prepareCheckpoint` for a conversion
 */
export async function folderToLoad(
  { hub, prepare }: SourceHost,
  model: string,
  source: SourceOptions,
  { dtype, contextLength, signal, onProgress, logger }: LoadNeeds,
): Promise<string> {
  if ((await hubNameOf(hub.files, model, source)) === undefined) return model
  const folder = await resolveModel(hub, model, source, {
    ...{ signal, logger },
    onProgress: progress => onProgress?.({ stage: 'download', ...progress }),
    check: coming => requireMachineFits(coming, hub.memoryBytes, { dtype, contextLength }),
  })
  const stages = await chooseDtypes(hub.files, folder, dtype)
  if (isInPlace(stages)) return folder
  return preparedBeside({ hub, prepare }, folder, stages, { signal, onProgress })
}

/** What is asked for; else as published, which for weights that are quantised already is the order of the engine. */
async function chooseDtypes(files: Files, folder: string, dtype: LoadNeeds['dtype']): Promise<StageDtypes> {
  if (dtype !== undefined && dtype !== 'auto') return parseDtype(dtype)
  const { packed } = await readModelConfig(files, folder)
  return dtypePresets[packed === undefined ? 'fp32' : 'q4']
}

/** Read the settings and headers of a model on the hub, and refuse one that can't run here before it is downloaded. */
async function requireMachineFits(
  { files, folder }: ComingDownload,
  memoryBytes: number,
  { dtype, contextLength }: Pick<LoadNeeds, 'dtype' | 'contextLength'>,
): Promise<void> {
  const stages = await chooseDtypes(files, folder, dtype)
  await inspectModel(files, folder, { dtype: stages, contextLength, memoryBytes })
}

/** `models--x--y/snapshots/<commit>` is converted into `models--x--y/prepared/<commit>-<dtype>`. */
async function preparedBeside(
  { hub, prepare }: SourceHost,
  snapshot: string,
  stages: StageDtypes,
  { signal, onProgress }: Pick<LoadNeeds, 'signal' | 'onProgress'>,
): Promise<string> {
  const { files } = hub
  const dtype = describeDtypes(stages)
  const commit = snapshot.split(/[/\\]/).at(-1)!
  const name = `${commit}-${dtype.replaceAll(/[^a-z0-9]+/g, '-')}-v${manifestHeader.version}`
  const out = files.join(snapshot, '..', '..', 'prepared', name)
  if ((await files.stat(out)) !== undefined) return out
  try {
    const report = (progress: PrepareProgress) => onProgress?.(toLoadProgress(progress))
    await prepare(snapshot, { out, dtype: stages, signal, onProgress: report })
  } catch (error) {
    // another process was faster
    if (!NVLMError.isInstance(error) || error.code !== 'OUTPUT_EXISTS') throw error
    await openPrepared(files, out)
  }
  return out
}

function toLoadProgress({ done, total }: PrepareProgress): LoadProgress {
  return { stage: 'prepare', done, total }
}

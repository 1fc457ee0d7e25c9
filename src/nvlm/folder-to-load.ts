import { NVLMError } from '../core/errors.js'
import type { ComingDownload } from '../hub/ensure-model.js'
import type { HubPlatform } from '../platform/hub-platform.js'
import { manifestHeader } from '../prepare/manifest.js'
import type { PrepareOptions, PrepareProgress } from '../prepare/prepare-options.js'
import { openPrepared } from '../prepare/prepared-model.js'
import { describeDtypes, parseDtype, type StageDtypes } from '../prepare/stage-dtypes.js'
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
 * with a `dtype` that is not the checkpoint's own it is converted once, into a folder beside the snapshot.
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
  const stages = dtype === undefined || dtype === 'auto' ? undefined : parseDtype(dtype)
  const folder = await resolveModel(hub, model, source, {
    ...{ signal, logger },
    onProgress: progress => onProgress?.({ stage: 'download', ...progress }),
    check: coming => requireMachineFits(coming, hub.memoryBytes, stages ?? parseDtype('fp32'), contextLength),
  })
  const isInPlace = stages === undefined || Object.values(stages).every(name => name === 'fp32')
  if (isInPlace) return folder
  return preparedBeside({ hub, prepare }, folder, stages, { signal, onProgress })
}

/** Read the settings and headers of a model on the hub, and refuse one that can't run here before it is downloaded. */
async function requireMachineFits(
  { files, folder }: ComingDownload,
  memoryBytes: number,
  dtype: StageDtypes,
  contextLength: number | undefined,
): Promise<void> {
  await inspectModel(files, folder, { dtype, contextLength, memoryBytes })
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

import { NVLMError } from '../core/errors.js'
import type { DownloadProgress } from '../hub/download-progress.js'
import { type ComingDownload, ensureModel } from '../hub/ensure-model.js'
import { type HubName, isHubName } from '../hub/hub-name.js'
import { describeLicense, type ModelLicense, readLicense } from '../hub/model-card.js'
import type { Selection } from '../hub/select-files.js'
import type { HubPlatform } from '../platform/hub-platform.js'
import type { Files } from '../platform/platform.js'
import type { Logger } from './logger.js'
import type { LicenseNotice, SourceOptions } from './source-options.js'

/** What surrounds the search for a model. */
export interface ResolveHooks {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined
  readonly logger?: Pick<Logger, 'warn'> | undefined
  /** Look at a model before it is downloaded; throws to refuse. */
  readonly check?: ((coming: ComingDownload) => Promise<void>) | undefined
  /** Default: everything that loading reads. */
  readonly selection?: Selection | undefined
}

/**
 * The name of a model on the hub, if `model` is one: `owner/name` where there is no folder of that path. `./owner/name`
 * is always a path.
 *
 * @throws {NVLMError} INVALID_OPTION if a folder is given together with a revision
 */
export async function hubNameOf(
  files: Files,
  model: string,
  { revision }: SourceOptions,
): Promise<HubName | undefined> {
  if (isHubName(model) && (await files.stat(model)) === undefined) return model
  if (revision === undefined) return undefined
  throw new NVLMError(
    'INVALID_OPTION',
    `revision: "${revision}"; ${model} is a folder, not a name on the hub`,
    {
      hint: 'Leave the revision out: a folder is what it is.',
    },
  )
}

/**
 * The folder of a model that is given as a path or by its name on the hub. What is not in the cache is downloaded.
 *
 * @throws {NVLMError} as `ensureModel`
 */
export async function resolveModel(
  hub: HubPlatform,
  model: string,
  source: SourceOptions,
  hooks: ResolveHooks = {},
): Promise<string> {
  const name = await hubNameOf(hub.files, model, source)
  if (name === undefined) return model
  const { onLicense, ...options } = source
  const { signal, onProgress, logger, check, selection } = hooks
  const { folder } = await ensureModel(hub, name, {
    ...{ ...options, signal, onProgress, selection },
    onUnreachable: message => logger?.warn(message),
    beforeDownload: async coming => {
      await check?.(coming)
      if (!coming.isFirst) return
      const notice = noticeOf(name, await readLicense(coming.files, coming.folder))
      if (notice === undefined) return
      logger?.warn(notice.message)
      onLicense?.(notice)
    },
  })
  return folder
}

function noticeOf(model: string, license: ModelLicense | undefined): LicenseNotice | undefined {
  if (!license?.isNonCommercial) return undefined
  const message = `${model} is licensed ${describeLicense(license)}: not for commercial use`
  return { model, license, message }
}

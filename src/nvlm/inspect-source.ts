import type { Device } from '../backend/backend.js'
import { openHubModel } from '../hub/open-hub-model.js'
import type { HubPlatform } from '../platform/hub-platform.js'
import { type InspectOptions, inspectModel, type ModelInspection } from './inspect-model.js'
import { hubNameOf } from './resolve-model.js'
import type { SourceOptions } from './source-options.js'

/**
 * Look into a model that is given as a path or by name. Of one on the hub, settings and weight headers are read over
 * the network and nothing is kept.
 *
 * @param devices - what the engine has
 * @throws {NVLMError} as `inspectModel`; OFFLINE, UNAUTHORIZED, DOWNLOAD_FAILED, INVALID_OPTION
 */
export async function inspectSource(
  hub: HubPlatform,
  model: string,
  source: SourceOptions,
  options: InspectOptions,
  devices: readonly Device[],
): Promise<ModelInspection> {
  const name = await hubNameOf(hub.files, model, source)
  if (name === undefined) return inspectModel(hub.files, model, options, devices)
  const { files, folder, commit, totalBytes, cachedBytes } = await openHubModel(hub, name, source)
  const inspection = await inspectModel(files, folder, options, devices)
  return { ...inspection, id: name, download: { commit, totalBytes, cachedBytes } }
}

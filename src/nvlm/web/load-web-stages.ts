import type { Device, GraphSource } from '../../backend/backend.js'
import { openWebBackend } from '../../backend/web/open-web-backend.js'
import type { BlobFiles } from '../../platform/web/blob-files.js'
import { folderUrl } from '../../platform/web/url-paths.js'
import { webPlatform } from '../../platform/web/web-platform.js'
import { openPrepared } from '../../prepare/prepared-model.js'
import { openStages } from '../open-stages.js'
import { chooseDevice, parseStageOptions, type StageOptions } from '../stage-options.js'
import type { Stages } from '../stages.js'
import { fetchModel } from './fetch-model.js'
import { locateGraph } from './graph-files.js'
import type { WebSettings } from './web-options.js'

/**
 * Load the five layers of a model from the URL of a prepared folder. They run in the calling thread.
 *
 * @throws {NVLMError} as `openStages` and `fetchModel`
 */
export async function loadWebStages(
  url: string,
  options: StageOptions,
  { cache, headers, wasmPaths }: WebSettings,
): Promise<Stages> {
  const { backend, onProgress, onWarning, signal, device = 'auto', numThreads } = parseStageOptions(options)
  const folder = folderUrl(url)
  let files: BlobFiles | undefined
  const locate = (graph: GraphSource, device: Device) => locateGraph(files!, graph, device)
  // first, so that nothing is fetched for a device that is not there
  const chosen = backend ?? (await openWebBackend({ device, numThreads, wasmPaths, onWarning }, locate))
  chooseDevice(device, chosen)
  files = await fetchModel(folder, { cache, headers, onProgress, onWarning, signal })
  const host = { platform: webPlatform(files), backend: chosen }
  return openStages(host, folder, openPrepared, { ...options, backend: chosen })
}

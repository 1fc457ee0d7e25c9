import { openModel } from '../prepare/open-model.js'
import { openStages, type Sharing, type StageHost } from './open-stages.js'
import type { StageOptions } from './stage-options.js'
import type { Stages } from './stages.js'

/**
 * Load the five layers of a model from a checkpoint folder or a prepared one.
 *
 * @throws {NVLMError} as `openStages`
 */
export function loadStages(
  host: StageHost,
  folder: string,
  options: StageOptions = {},
  sharing?: Sharing,
): Promise<Stages> {
  return openStages(host, folder, openModel, options, sharing)
}

import { NVLMError } from '../core/errors.js'
import type { RunnableModel } from '../prepare/runnable-model.js'
import { areSameDtypes, describeDtypes, type StageDtypes } from '../prepare/stage-dtypes.js'

/**
 * Require that a model's weights are stored as was asked for: loading converts nothing.
 *
 * @throws {NVLMError} INVALID_OPTION naming the command that makes such a folder
 */
export function requireDtype({ folder, dtypes, isPrepared }: RunnableModel, wanted: StageDtypes): void {
  if (areSameDtypes(dtypes, wanted)) return
  const name = describeDtypes(wanted)
  const checkpoint = isPrepared ? '<checkpoint>' : folder
  const suffix = name.replaceAll(/[^a-z0-9]+/g, '-')
  throw new NVLMError(
    'INVALID_OPTION',
    isPrepared
      ? `dtype: ${name}; ${folder} was prepared as ${describeDtypes(dtypes)}`
      : `dtype: ${name}; ${folder} is a checkpoint as published, whose weights are not converted while loading`,
    {
      hint: `Make such a folder once and load that: nvlm prepare ${checkpoint} --dtype ${name} --out ${isPrepared ? '<folder>' : `${folder.replace(/[/\\]+$/, '')}-${suffix}`}`,
    },
  )
}

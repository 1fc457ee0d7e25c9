import { NVLMError } from '../core/errors.js'
import { quoted } from '../formats/file-name.js'
import { externalFiles } from '../formats/onnx/external-files.js'
import type { Files } from '../platform/platform.js'
import type { ModelGraphs } from './runnable-model.js'

const HINT = 'Prepare the checkpoint again; if the folder is not yours, do not use it.'

/**
 * Require that graphs read weights from no other files than those.
 *
 * The engine itself refuses names that leave the folder; a file in the folder that nobody checked is left to us.
 *
 * @param names - as the graphs may spell them
 * @throws {NVLMError} MODEL_INVALID naming the graph and the file
 */
export function requireListedWeights(folder: string, graphs: ModelGraphs, names: ReadonlySet<string>): void {
  for (const [graph, bytes] of Object.entries(graphs)) {
    for (const name of bytes === undefined ? [] : externalFiles(bytes)) {
      if (names.has(name)) continue
      throw new NVLMError(
        'MODEL_INVALID',
        `${folder}: graph ${graph} reads ${quoted(name)}, which the manifest does not name`,
        { hint: HINT },
      )
    }
  }
}

/**
 * Require that a data file lies in its folder and nowhere else: it is neither a link nor has another name, by which
 * somebody could read what lies outside, or change it while it is loaded.
 *
 * @throws {NVLMError} MODEL_INVALID
 */
export async function requireOwnFile(files: Files, folder: string, name: string): Promise<void> {
  const path = files.join(folder, name)
  const info = await files.stat(path)
  const place = await files.realPath(path)
  const isInside = place === files.join(await files.realPath(folder), name)
  if (isInside && info?.kind === 'file' && info.numNames === 1) return
  const problem = isInside && info?.kind === 'file' ? `has ${info.numNames} names` : 'is a link, or no file'
  throw new NVLMError('MODEL_INVALID', `${path}: ${problem}; expected a file of its own`, {
    hint: 'Replace it by a copy of the file.',
  })
}

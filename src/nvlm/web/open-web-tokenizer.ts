import { folderUrl } from '../../platform/web/url-paths.js'
import type { Tokenizer } from '../../tokenizer/tokenizer.js'
import { openTokenizer } from '../open-tokenizer.js'
import { fetchModel } from './fetch-model.js'
import type { WebSettings } from './web-options.js'

/**
 * Open the tokenizer of a prepared folder, without its weights.
 *
 * @throws {NVLMError} as `fetchModel` and `openTokenizer`
 */
export async function openWebTokenizer(url: string, settings: WebSettings): Promise<Tokenizer> {
  const folder = folderUrl(url)
  const files = await fetchModel(folder, { ...settings, only: ({ file }) => /\.(json|txt)$/.test(file) })
  return openTokenizer(files, folder)
}

import { NVLMError } from '../core/errors.js'
import { requireFileName } from '../formats/file-name.js'
import { parseSafetensorsIndex } from '../formats/safetensors-index.js'
import type { HubName } from './hub-name.js'
import type { RepoFile, RepoListing } from './repo-listing.js'

/** Settings and tokenizer files that a model may have, all in the top folder. */
const SETTINGS = [
  'config.json',
  'generation_config.json',
  'preprocessor_config.json',
  'processor_config.json',
  'quantize_config.json',
  'quant_config.json',
  'hf_quant_config.json',
] as const

const TOKENIZER = [
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'tokenizer.model',
  'chat_template.json',
  'chat_template.jinja',
] as const

/** Files that say what may be done with a model. */
const TERMS = ['README.md', 'LICENSE', 'LICENSE.md', 'LICENSE.txt', 'NOTICE'] as const

/** Name of the whole weights, and of the list of shards. */
export const WEIGHTS = 'model.safetensors'
export const WEIGHT_INDEX = 'model.safetensors.index.json'

/** What is wanted of a repository: everything that loading reads, or what the tokenizer needs. */
export type Selection = 'model' | 'tokenizer'

/**
 * Choose the files to fetch; everything else of a repository stays there.
 *
 * @param readIndex - reads the list of shards; called only where there is one
 * @throws {NVLMError} MODEL_UNSUPPORTED without .safetensors weights; MODEL_INVALID for names that are no plain file
 * names or that some systems take for the same, and for shards that are not there
 */
export async function selectFiles(
  name: HubName,
  listing: RepoListing,
  selection: Selection,
  readIndex: () => Promise<Uint8Array>,
): Promise<readonly RepoFile[]> {
  const find = (path: string) => listing.files.get(path) ?? []
  const small = [...SETTINGS, ...TOKENIZER, ...TERMS].flatMap(find)
  if (selection === 'tokenizer') return small
  if (listing.files.has(WEIGHTS)) return [...small, ...[WEIGHTS].flatMap(find)]
  if (!listing.files.has(WEIGHT_INDEX)) throw noWeights(name, listing)
  const { shards } = parseSafetensorsIndex(await readIndex(), WEIGHT_INDEX)
  const missing = shards.filter(shard => !listing.files.has(shard))
  if (missing.length > 0) {
    throw new NVLMError(
      'MODEL_INVALID',
      `${name}: lacks ${missing.slice(0, 3).join(', ')}, which ${WEIGHT_INDEX} names`,
      {
        hint: 'The repository is not complete: choose another revision.',
      },
    )
  }
  const files = [...small, ...[WEIGHT_INDEX, ...shards].flatMap(find)]
  requireDistinctNames(files)
  return files
}

/** On macOS and Windows `Model` and `model` are one file. */
function requireDistinctNames(files: readonly RepoFile[]): void {
  const seen = new Map<string, string>()
  for (const { path } of files) {
    const folded = requireFileName(path, WEIGHT_INDEX).normalize('NFKC').toLowerCase()
    const other = seen.get(folded)
    if (other !== undefined) {
      throw new NVLMError(
        'MODEL_INVALID',
        `${WEIGHT_INDEX}: names "${other}" and "${path}", which are one file on some systems`,
        {
          hint: 'The model repository is damaged or hostile: do not use it.',
        },
      )
    }
    seen.set(folded, path)
  }
}

function noWeights(name: HubName, { files }: RepoListing): NVLMError {
  const other = [...files.keys()].find(path => /\.(?:bin|gguf|pt|pth|h5|msgpack|onnx)$/i.test(path))
  const found = other === undefined ? '' : `; found ${other}`
  return new NVLMError('MODEL_UNSUPPORTED', `${name}: has neither ${WEIGHTS} nor ${WEIGHT_INDEX}${found}`, {
    hint: 'Only weights in .safetensors files can be read: choose a repository that has them.',
  })
}

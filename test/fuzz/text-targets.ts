import { readFileSync } from 'node:fs'
import type { Random } from '../../src/core/random.js'
import type { ModelConfig } from '../../src/models/model-definition.js'
import { parseMessages } from '../../src/nvlm/generate-options.js'
import { readModelConfig } from '../../src/prepare/read-model-config.js'
import { countImages } from '../../src/tokenizer/conversation-template.js'
import { readTokenizerFiles } from '../../src/tokenizer/read-tokenizer-files.js'
import { Tokenizer } from '../../src/tokenizer/tokenizer.js'
import { MemoryFiles } from '../support/memory-files.js'
import { type CheckpointFolder, checkpointFolders, storedWith } from './checkpoint-folders.js'
import { mutateJsonFile } from './file-targets.js'
import { goldenPath } from './golden-path.js'
import { mutateBytes, mutateJson, pick } from './mutate.js'
import { type FuzzTarget, target } from './target.js'

/** Files that a tokenizer is read from; `chat_template` in tokenizer_config.json is among what is changed. */
const TOKENIZER_FILES = [
  ...['vocab.json', 'merges.txt', 'tokenizer.json', 'tokenizer.model', 'tokenizer_config.json'],
  'added_tokens.json',
]

const TEXTS = ['Hello <|im_end|> world', '  été 12345\n\n<image>', '😀\u0301\ud800 ###', 'a'.repeat(300)]

interface KnownFolder extends CheckpointFolder {
  readonly config: ModelConfig
}

/** The golden checkpoints, and InternLM2's with the tokenizer.json that transformers makes of its model. */
async function knownFolders(): Promise<readonly KnownFolder[]> {
  const folders = checkpointFolders()
  const internlm2 = folders.find(({ files }) => files.has('tokenizer.model'))!
  const pieces = goldenPath('towers/pieces.json')
  const { 'tokenizer.model': _, ...others } = Object.fromEntries(internlm2.files)
  const asJson = { ...others, 'tokenizer.json': { bytes: readFileSync(pieces) } }
  const all = [...folders, { path: internlm2.path, files: new Map(Object.entries(asJson)) }]
  return Promise.all(
    all.map(async folder => {
      const files = new MemoryFiles(storedWith(folder, 'README.md', { bytes: new Uint8Array(0) }))
      return { ...folder, config: await readModelConfig(files, folder.path) }
    }),
  )
}

async function openTokenizer(folder: KnownFolder, files: MemoryFiles): Promise<Tokenizer> {
  const { decoder, promptFormat, tokenizer } = folder.config
  const found = await readTokenizerFiles(files, folder.path)
  return Tokenizer.fromFiles(found, promptFormat, { vocabSize: decoder.vocabSize, ...tokenizer })
}

function mutateFile(name: string, bytes: Uint8Array, random: Random): Uint8Array {
  return name.endsWith('.json') ? mutateJsonFile(bytes, random) : mutateBytes(bytes, random)
}

const tokenizers = target('tokenizer files, all kinds', async () => {
  const folders = await knownFolders()
  return {
    mutate: random => {
      const folder = pick(random, folders)
      const name = pick(
        random,
        TOKENIZER_FILES.filter(file => folder.files.has(file)),
      )
      const bytes = mutateFile(name, folder.files.get(name)!.bytes, random)
      const files = new MemoryFiles(storedWith(folder, name, { bytes }))
      return async () => {
        const tokenizer = await openTokenizer(folder, files)
        for (const text of TEXTS) tokenizer.decode(tokenizer.encode(text, { allowSpecial: true }))
        tokenizer.encodePrompt([{ role: 'user', content: TEXTS[0]! }], [])
      }
    },
  }
})

const CONVERSATION = [
  { role: 'system', content: 'Answer <|im_start|>briefly.' },
  {
    role: 'user',
    content: [
      { type: 'image', image: 'a.png' },
      { type: 'text', text: 'What does <tile_1> say?' },
    ],
  },
  {
    role: 'assistant',
    content: 'x',
    tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }],
  },
  { role: 'tool', tool_call_id: '1', content: '{"b":[1,2]}' },
  { role: 'user', content: 'And <|im_end|>\n<image> now?' },
]

/** A message may be a book; its 200,000 characters are encoded, which takes what it takes. */
const LONG_TEXT_MS = 250

/** The writers of prompts take their text from definitions, never from a checkpoint; what they are given is changed. */
const prompts = target(
  'messages for the prompt templates',
  async () => {
    const folders = await knownFolders()
    const opened = await Promise.all(
      folders.map(folder => {
        const files = new MemoryFiles(storedWith(folder, 'README.md', { bytes: new Uint8Array(0) }))
        return openTokenizer(folder, files)
      }),
    )
    return {
      mutate: random => {
        const tokenizer = pick(random, opened)
        const messages = mutateJson(CONVERSATION, random)
        const numTiles = pick(random, [0, 1, 7, 257, -1, 0.5])
        return async () => {
          const parsed = parseMessages(messages, 'generate', undefined)
          const counts = Array.from({ length: countImages(parsed) }, () => numTiles)
          tokenizer.encodePrompt(parsed, counts)
        }
      },
    }
  },
  LONG_TEXT_MS,
)

/** Readers of tokenizer files, and what writes prompts. */
export const textTargets: readonly FuzzTarget[] = [tokenizers, prompts]

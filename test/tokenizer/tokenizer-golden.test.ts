import { describe, expect, test } from 'vitest'
import { Tokenizer } from '../../src/tokenizer/tokenizer.js'
import { readGolden, realJson, realPair, tinyFiles } from './golden-files.js'

interface EncodeCase {
  readonly text: string
  readonly ids: readonly number[]
  readonly decoded: string
  readonly skipped: string
}

interface EdgeCase {
  readonly text: string
  readonly ids: readonly number[]
  readonly idsWithHashMerges: readonly number[]
}

interface DecodeCase {
  readonly ids: readonly number[]
  readonly decoded: string
  readonly skipped: string
}

interface TinyCase {
  readonly checkpoint: string
  readonly prompt: string
  readonly ids: readonly number[]
  readonly answerIds: readonly number[]
  readonly answer: string
}

/** The official answer is `str.strip()`ped, which takes five control characters for white space too. */
function stripLikePython(text: string): string {
  const isSpace = (character: string): boolean =>
    character.trim() === '' || '\x1c\x1d\x1e\x1f\x85'.includes(character)
  const characters = [...text]
  const first = characters.findIndex(character => !isSpace(character))
  const last = characters.findLastIndex(character => !isSpace(character))
  return characters.slice(Math.max(first, 0), last + 1).join('')
}

const { cases: encodeCases } = readGolden<EncodeCase>('encode.json')
const { cases: decodeCases } = readGolden<DecodeCase>('decode.json')
const { cases: edgeCases } = readGolden<EdgeCase>('edge-cases.json')
const { cases: tinyCases } = readGolden<TinyCase>('tiny-prompts.json')

describe.each([
  ['vocab.json + merges.txt', realPair],
  ['tokenizer.json', realJson],
])('the real vocabulary from %s', (_, files) => {
  const tokenizer = Tokenizer.fromFiles(files)

  test('encodes as the official tokenizer', () => {
    for (const { text, ids } of encodeCases) {
      expect(tokenizer.encode(text, { allowSpecial: true }), JSON.stringify(text)).toEqual(ids)
    }
  })

  test('decodes as the official tokenizer', () => {
    for (const { ids, decoded, skipped } of [...encodeCases, ...decodeCases]) {
      expect(tokenizer.decode(ids, { skipSpecial: false })).toBe(decoded)
      expect(tokenizer.decode(ids)).toBe(skipped)
    }
  })

  test('encodes characters at the edges of the rules', () => {
    for (const { text, ids } of edgeCases) expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(ids)
  })

  test('keeps merges that begin with # on request', () => {
    const modern = Tokenizer.fromFiles(files, undefined, { skipHashMerges: false })
    for (const { text, idsWithHashMerges } of edgeCases)
      expect(modern.encode(text)).toEqual(idsWithHashMerges)
    expect(edgeCases.some(({ ids, idsWithHashMerges }) => ids.length !== idsWithHashMerges.length)).toBe(true)
  })

  test('knows ids, special or not', () => {
    expect(tokenizer.vocabSize).toBe(151665)
    expect(tokenizer.addedTokens).toHaveLength(22)
    expect(tokenizer.tokenId('<|vision_pad|>')).toBe(151654)
    expect(tokenizer.tokenId('<tool_call>')).toBe(151657)
    expect(tokenizer.tokenId('Ġthe')).toBe(279)
    expect(tokenizer.tokenId('<image>')).toBeUndefined()
    expect(tokenizer.stopTokenIds).toEqual([151645])
    expect(tokenizer.imageTokenId).toBeUndefined()
    expect(tokenizer.decode([27, 151657, 151645, 29])).toBe('<<tool_call>>')
  })
})

describe.each(['pair', 'json'] as const)(
  'the tokenizers of the tiny checkpoints from their %s files',
  kind => {
    test.each(['nvlmd-tiny', 'internvl-tiny'] as const)('%s encodes prompts and decodes answers', name => {
      const tokenizer = Tokenizer.fromFiles(tinyFiles(name, kind))
      const own = tinyCases.filter(({ checkpoint }) => checkpoint.startsWith(name))
      expect(own.length).toBeGreaterThan(8)
      for (const { prompt, ids, answerIds, answer } of own) {
        expect(tokenizer.encode(prompt, { allowSpecial: true })).toEqual(ids)
        expect(stripLikePython(tokenizer.decode(answerIds))).toBe(answer)
      }
    })
  },
)

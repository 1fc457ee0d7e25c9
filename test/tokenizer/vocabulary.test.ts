import { describe, expect, test } from 'vitest'
import { Tokenizer } from '../../src/tokenizer/tokenizer.js'
import type { TokenizerFiles } from '../../src/tokenizer/tokenizer-files.js'
import { tinyFiles } from './golden-files.js'

const pair = tinyFiles('nvlmd-tiny')
const json = tinyFiles('nvlmd-tiny', 'json')
const vocab = pair.vocab as Readonly<Record<string, number>>
const config = pair.tokenizerConfig as Readonly<Record<string, unknown>>

/** A deep copy of tokenizer.json with one value replaced. */
function editJson(path: readonly string[], value: unknown): TokenizerFiles {
  const tokenizerJson = structuredClone(json.tokenizerJson) as Record<string, unknown>
  let object = tokenizerJson
  for (const name of path.slice(0, -1)) object = object[name] as Record<string, unknown>
  object[path.at(-1)!] = value
  return { tokenizerJson }
}

function withDecoder(entries: Readonly<Record<string, unknown>>): TokenizerFiles {
  return { ...pair, tokenizerConfig: { ...config, added_tokens_decoder: entries } }
}

/** An object as `parseJson` gives it, without `toString`. */
const bare = Object.create(null)

function manyTokens(count: number): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Array.from({ length: count }, (_, i) => [456 + i, { content: `<${i}>` }]))
}

function without(object: Readonly<Record<string, unknown>>, name: string): Readonly<Record<string, unknown>> {
  const { [name]: _, ...rest } = object
  return rest
}

describe('broken files are named', () => {
  const cases: [string, TokenizerFiles, string][] = [
    ['vocab.json is no object', { ...pair, vocab: ['a'] }, 'vocab.json: expected an object'],
    ['vocab.json is null', { ...pair, vocab: null }, 'vocab.json: expected an object'],
    ['an id is no number', { ...pair, vocab: { ...vocab, a: '64' } }, 'vocab.json: id of token "a" is "64"'],
    ['an id is negative', { ...pair, vocab: { ...vocab, a: -1 } }, 'vocab.json: id of token "a"'],
    ['an id is a fraction', { ...pair, vocab: { ...vocab, a: 1.5 } }, 'vocab.json: id of token "a"'],
    ['an id is huge', { ...pair, vocab: { ...vocab, a: 1e12 } }, 'vocab.json: id of token "a"'],
    ['an id is there twice', { ...pair, vocab: { ...vocab, zzz: 0 } }, 'vocab.json: id 0 of token "zzz"'],
    ['a byte is missing', { ...pair, vocab: without(vocab, 'Ā') }, 'vocab.json: no token "Ā" for byte 0'],
    ['a merge has three parts', { ...pair, merges: '#version: 0.2\nh e\na b c\n' }, 'merges.txt line 3'],
    ['a merge has one part', { ...pair, merges: 'h e\nab\n' }, 'merges.txt line 2'],
    ['a merged token is missing', { ...pair, merges: 'z z\n' }, 'merges.txt: merge "z z" needs token "zz"'],
    ['an added token has no text', withDecoder({ 456: {} }), 'added_tokens_decoder: token "undefined"'],
    ['an added token has no id', withDecoder({ x: { content: '<a>' } }), 'added_tokens_decoder: token "<a>"'],
    ['an added id is huge', withDecoder({ 9e9: { content: '<a>' } }), 'added tokens: id of token "<a>"'],
    [
      'two added tokens share an id',
      { ...pair, tokenizerConfig: {}, addedTokens: { '<a>': 456, '<b>': 456 } },
      '"<a>" and "<b>" have the same id 456',
    ],
    ['merges are no list', editJson(['model', 'merges'], 'a b'), 'tokenizer.json: model.merges'],
    ['a merge is no pair', editJson(['model', 'merges'], [['a', 'b', 'c']]), 'tokenizer.json: merge 0'],
    ['an id is an object', { ...pair, vocab: { ...vocab, a: bare } }, 'vocab.json: id of token "a" is "{}"'],
    [
      'an added id is an object',
      { ...pair, tokenizerConfig: {}, addedTokens: { '<a>': bare } },
      'with id "{}"',
    ],
    [
      'an added token has 1001 characters',
      withDecoder({ 456: { content: 'a'.repeat(1001) } }),
      'has 1001 characters, at most 1000',
    ],
    ['there are 4097 added tokens', withDecoder(manyTokens(4097)), 'more than 4096 added tokens'],
    [
      'there are more added tokens than arguments of a call',
      withDecoder(manyTokens(200_000)),
      'more than 4096 added tokens',
    ],
    ['there are no tokens', editJson(['model', 'vocab'], undefined), 'tokenizer.json: expected an object'],
  ]
  test.each(cases)('%s', (_, files, message) => {
    expect(() => Tokenizer.fromFiles(files)).toThrowError(
      expect.objectContaining({ code: 'MODEL_INVALID', message: expect.stringContaining(message) }),
    )
  })

  test('no files', () => {
    for (const files of [{}, { vocab }, { merges: 'h e' }]) {
      expect(() => Tokenizer.fromFiles(files)).toThrowError(
        expect.objectContaining({ code: 'MODEL_NOT_FOUND' }),
      )
    }
  })
})

describe('other kinds of tokenizer are refused by name', () => {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, use_regex: true }
  const cases: [string, TokenizerFiles, string][] = [
    [
      'class',
      { ...pair, tokenizerConfig: { ...config, tokenizer_class: 'GPT2Tokenizer' } },
      '"GPT2Tokenizer"',
    ],
    [
      'class that is an object',
      { ...pair, tokenizerConfig: { ...config, tokenizer_class: bare } },
      'tokenizer_class is "{}"',
    ],
    ['model that is an object', editJson(['model', 'type'], bare), 'model.type is "{}"'],
    ['errors', { ...pair, tokenizerConfig: { ...config, errors: 'ignore' } }, 'errors is "ignore"'],
    [
      'clean-up of spaces',
      { ...pair, tokenizerConfig: { ...config, clean_up_tokenization_spaces: true } },
      'clean_up_tokenization_spaces is "true"',
    ],
    ['lstrip', withDecoder({ 456: { content: '<a>', lstrip: true } }), 'token "<a>" has lstrip'],
    ['model', editJson(['model', 'type'], 'Unigram'), 'model.type is "Unigram"'],
    ['byte fallback', editJson(['model', 'byte_fallback'], true), 'pre_tokenizer type is "Sequence"'],
    ['dropout', editJson(['model', 'dropout'], 0.1), 'model.dropout is "0.1"'],
    ['normalizer', editJson(['normalizer'], { type: 'NFKC' }), 'normalizer.type is "NFKC"'],
    ['word pattern', editJson(['pre_tokenizer'], byteLevel), 'pre_tokenizer pattern'],
  ]
  test.each(cases)('%s', (_, files, message) => {
    expect(() => Tokenizer.fromFiles(files)).toThrowError(
      expect.objectContaining({ code: 'MODEL_UNSUPPORTED', message: expect.stringContaining(message) }),
    )
  })
})

describe('spellings that mean the same', () => {
  const text = 'The question: <|im_end|> is the room red?\n'
  const ids = Tokenizer.fromFiles(pair).encode(text, { allowSpecial: true })

  test('merges with a version line, with CRLF, as lists', () => {
    const merges = json.tokenizerJson as { readonly model: { readonly merges: readonly string[] } }
    const lists = editJson(
      ['model', 'merges'],
      merges.model.merges.map(merge => merge.split(' ')),
    )
    const crlf = `#version: 0.2\r\n${pair.merges!.replaceAll('\n', '\r\n')}`
    for (const files of [{ ...pair, merges: crlf }, lists]) {
      expect(Tokenizer.fromFiles(files).encode(text, { allowSpecial: true })).toEqual(ids)
    }
  })

  test('vocab.json + merges.txt count before tokenizer.json', () => {
    const broken = editJson(['model', 'vocab'], { a: 0 })
    const tokenizer = Tokenizer.fromFiles({ ...pair, ...broken })
    expect(tokenizer.encode(text, { allowSpecial: true })).toEqual(ids)
  })

  test('a fast class with both kinds of files is read from tokenizer.json', () => {
    const fast = { ...config, tokenizer_class: 'PreTrainedTokenizerFast' }
    const tokenizer = Tokenizer.fromFiles({ ...pair, ...json, tokenizerConfig: fast })
    expect(tokenizer.encode(text, { allowSpecial: true })).toEqual(ids)
  })

  test('added tokens without added_tokens_decoder come from added_tokens.json', () => {
    const addedTokens = Object.fromEntries(
      Tokenizer.fromFiles(pair).addedTokens.map(({ text, id }) => [text, id]),
    )
    const tokenizerConfig = without(config, 'added_tokens_decoder')
    const tokenizer = Tokenizer.fromFiles({ ...pair, tokenizerConfig, addedTokens })
    expect(tokenizer.addedTokens).toEqual(Tokenizer.fromFiles(pair).addedTokens)
  })

  test('special tokens that no file numbers get the ids after the last, or their own in the vocabulary', () => {
    const tokenizerConfig = {
      eos_token: { content: '<end>' },
      pad_token: null,
      additional_special_tokens: ['Ġt'],
    }
    const tokenizer = Tokenizer.fromFiles({ ...pair, tokenizerConfig })
    const numBase = Object.keys(vocab).length
    expect(tokenizer.addedTokens).toEqual([
      { id: vocab.Ġt, text: 'Ġt', isSpecial: true },
      { id: numBase, text: '<end>', isSpecial: true },
      // Qwen2Tokenizer's own default for an absent unk_token
      { id: numBase + 1, text: '<|endoftext|>', isSpecial: true },
    ])
    expect(tokenizer.stopTokenIds).toEqual([numBase])
  })
})

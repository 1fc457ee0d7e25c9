import { cp, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { nodeFiles } from '../../src/platform/node/files.js'
import { readTokenizerFiles } from '../../src/tokenizer/read-tokenizer-files.js'
import { Tokenizer } from '../../src/tokenizer/tokenizer.js'

const tiny = fileURLToPath(new URL('../golden/tokenizer/internvl-tiny', import.meta.url))
const TEXT = '<img>The room</img> is red.<|im_end|>\n'
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nvlm-tokenizer-'))
  await cp(tiny, folder, { recursive: true })
})

afterEach(() => rm(folder, { recursive: true }))

const remove = (...names: readonly string[]): Promise<unknown> =>
  Promise.all(names.map(name => rm(join(folder, name), { force: true })))

async function encodeText(): Promise<readonly number[]> {
  const files = await readTokenizerFiles(nodeFiles, folder)
  return Tokenizer.fromFiles(files).encode(TEXT, { allowSpecial: true })
}

describe('the same ids come from', () => {
  test.each([
    ['all files', []],
    ['vocab.json + merges.txt + tokenizer_config.json', ['tokenizer.json', 'added_tokens.json']],
    ['vocab.json + merges.txt + added_tokens.json', ['tokenizer.json', 'tokenizer_config.json']],
    ['tokenizer.json + tokenizer_config.json', ['vocab.json', 'merges.txt', 'added_tokens.json']],
    ['tokenizer.json alone', ['vocab.json', 'merges.txt', 'added_tokens.json', 'tokenizer_config.json']],
  ])('%s', async (_, absent) => {
    const expected = await encodeText()
    expect(expected).toContain(459)
    await remove(...absent)
    expect(await encodeText()).toEqual(expected)
  })
})

test('tokenizer.json is not read where the other files are complete', async () => {
  await writeFile(join(folder, 'tokenizer.json'), 'not JSON')
  expect((await readTokenizerFiles(nodeFiles, folder)).tokenizerJson).toBeUndefined()
})

test('a limit larger than any integer is no reason to refuse tokenizer_config.json', async () => {
  await writeFile(
    join(folder, 'tokenizer_config.json'),
    '{"model_max_length": 1000000000000000019884624838656, "eos_token": "<|im_end|>"}',
  )
  const { tokenizerConfig } = await readTokenizerFiles(nodeFiles, folder)
  expect(tokenizerConfig).toMatchObject({ model_max_length: 1e30 })
})

describe('a folder is refused', () => {
  const refusal = (code: string, message: string | RegExp): unknown =>
    expect.objectContaining({ code, message: expect.stringMatching(message), hint: expect.anything() })

  test('without tokenizer files', async () => {
    await remove('vocab.json', 'merges.txt', 'added_tokens.json', 'tokenizer_config.json', 'tokenizer.json')
    const missing = /vocab.json and merges.txt and tokenizer_config.json/
    await expect(readTokenizerFiles(nodeFiles, folder)).rejects.toThrowError(
      refusal('MODEL_NOT_FOUND', missing),
    )
    await expect(readTokenizerFiles(nodeFiles, join(folder, 'nowhere'))).rejects.toThrowError(
      refusal('MODEL_NOT_FOUND', /nowhere/),
    )
  })

  test.each(['vocab.json', 'merges.txt'])('without %s', async name => {
    await remove(name, 'tokenizer.json')
    await expect(readTokenizerFiles(nodeFiles, folder)).rejects.toThrowError(refusal('MODEL_NOT_FOUND', name))
  })

  test('without anything that names the added tokens', async () => {
    await remove('tokenizer_config.json', 'added_tokens.json', 'tokenizer.json')
    await expect(readTokenizerFiles(nodeFiles, folder)).rejects.toThrowError(
      refusal('MODEL_NOT_FOUND', 'tokenizer_config.json'),
    )
  })

  test.each([
    ['spiece.model', 'SentencePiece'],
    ['tiktoken.model', 'tiktoken'],
  ])('with a %s', async (name, kind) => {
    await remove('vocab.json', 'merges.txt', 'tokenizer.json')
    await writeFile(join(folder, name), 'x')
    await expect(readTokenizerFiles(nodeFiles, folder)).rejects.toThrowError(
      refusal('MODEL_UNSUPPORTED', kind),
    )
  })

  test.each(['vocab.json', 'tokenizer_config.json', 'added_tokens.json'])('with a cut %s', async name => {
    await truncate(join(folder, name), 100)
    await expect(readTokenizerFiles(nodeFiles, folder)).rejects.toThrowError(refusal('MODEL_INVALID', name))
  })

  test('with a merges.txt that is no text', async () => {
    await writeFile(join(folder, 'merges.txt'), Uint8Array.of(0x61, 0xff))
    await expect(readTokenizerFiles(nodeFiles, folder)).rejects.toThrowError(
      expect.objectContaining({ code: 'MODEL_INVALID', message: expect.stringContaining('merges.txt') }),
    )
  })

  test.each([
    ['tokenizer_config.json', 10 * 2 ** 20],
    ['added_tokens.json', 10 * 2 ** 20],
    ['vocab.json', 64 * 2 ** 20],
    ['merges.txt', 64 * 2 ** 20],
  ])('with a %s larger than %i bytes', async (name, limit) => {
    await truncate(join(folder, name), limit + 1)
    await expect(readTokenizerFiles(nodeFiles, folder)).rejects.toThrowError(
      expect.objectContaining({
        code: 'MODEL_INVALID',
        message: expect.stringContaining(`at most ${limit}`),
      }),
    )
  })
})

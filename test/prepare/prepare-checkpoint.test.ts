import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import type { PrepareOptions } from '../../src/prepare/prepare-options.js'
import { checkpointFolder, maxAbsDiff, readGolden, readTensor } from '../support/official-golden.js'

const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }
const { files, publisher } = nodePlatform
const SHARDED = 'nvlmd-tiny-bf16-sharded'

let folder: string
let checkpoint: string
let out: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nvlm-prepare-'))
  checkpoint = join(folder, 'checkpoint')
  out = join(folder, 'prepared')
  cpSync(checkpointFolder(SHARDED), checkpoint, { recursive: true })
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function prepare(options: Partial<PrepareOptions> = {}) {
  return prepareCheckpoint(files, publisher, checkpoint, { out, ...options })
}

/** Logits of the golden text prompt, all positions. */
async function textLogits(modelFolder: string): Promise<Float32Array> {
  const stages = await loadStages(host, modelFolder)
  try {
    const state = await stages.decoder.open({ contextLength: 64 })
    const [text] = readGolden(SHARDED).cases
    return (await state.prefill({ inputIds: text!.inputIds }, { allPositions: true })).data
  } finally {
    await stages.dispose()
  }
}

test('a prepared folder gives bit for bit what the checkpoint gives', async () => {
  await prepare()
  const golden = readGolden(SHARDED)
  const expected = await textLogits(checkpoint)
  expect(maxAbsDiff(await textLogits(out), expected)).toBe(0)
  expect(
    maxAbsDiff(expected, readTensor(SHARDED, golden, golden.cases[0]!.tensors.logits!)),
  ).toBeLessThanOrEqual(2e-4)
})

test('copies settings and tokenizer, and no weights', async () => {
  const manifest = await prepare()
  expect(readdirSync(out).sort()).toEqual(
    [
      ...[
        'config.json',
        'decoder-4.onnx',
        'decoder-8.onnx',
        'decoder.onnx',
        'merges.txt',
        'nvlm.json',
        'preprocessor_config.json',
      ],
      ...['projector.onnx', 'tokenizer.json'],
      ...['tokenizer_config.json', 'vision.onnx', 'vocab.json'],
    ].sort(),
  )
  expect(manifest.checkpoint?.folder).toBe('../checkpoint')
  expect(manifest.checkpoint?.files.map(({ name }) => name)).toEqual(
    [1, 2, 3].map(number => `model-0000${number}-of-00003.safetensors`),
  )
})

test('works after both folders moved together', async () => {
  await prepare()
  const elsewhere = join(folder, 'else', 'where')
  mkdirSync(elsewhere, { recursive: true })
  renameSync(checkpoint, join(elsewhere, 'checkpoint'))
  renameSync(out, join(elsewhere, 'prepared'))
  expect(await textLogits(join(elsewhere, 'prepared'))).toHaveLength(36 * 480)
})

test('works through the links of a hub cache, whose files are links into a folder of blobs', async () => {
  const blobs = join(folder, 'models--a--b', 'blobs')
  const snapshot = join(folder, 'models--a--b', 'snapshots', '0123abcd')
  mkdirSync(blobs, { recursive: true })
  mkdirSync(snapshot, { recursive: true })
  for (const [index, name] of readdirSync(checkpoint).entries()) {
    renameSync(join(checkpoint, name), join(blobs, `blob${index}`))
    symlinkSync(`../../blobs/blob${index}`, join(snapshot, name))
  }
  const expected = await textLogits(snapshot)
  await prepareCheckpoint(files, publisher, snapshot, { out })
  expect(maxAbsDiff(await textLogits(out), expected)).toBe(0)
})

test('refuses an existing target and leaves it as it is', async () => {
  mkdirSync(out)
  writeFileSync(join(out, 'mine.txt'), 'mine')
  await expect(prepare()).rejects.toMatchObject({
    code: 'OUTPUT_EXISTS',
    message: expect.stringContaining(out),
  })
  expect(readFileSync(join(out, 'mine.txt'), 'utf8')).toBe('mine')
})

test('refuses a folder that is prepared already', async () => {
  await prepare()
  const again = prepareCheckpoint(files, publisher, out, { out: join(folder, 'again') })
  await expect(again).rejects.toMatchObject({ code: 'INVALID_OPTION' })
})

test('leaves nothing behind when it fails or is aborted', async () => {
  const reason = new Error('enough')
  await expect(prepare({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  const controller = new AbortController()
  const onProgress = () => controller.abort(reason)
  await expect(prepare({ signal: controller.signal, onProgress })).rejects.toBe(reason)
  rmSync(join(checkpoint, 'model-00002-of-00003.safetensors'))
  await expect(prepare()).rejects.toMatchObject({ code: 'MODEL_NOT_FOUND' })
  expect(readdirSync(folder)).toEqual(['checkpoint'])
})

describe('loading a prepared folder', () => {
  beforeEach(() => prepare())

  test.each([
    [
      'a weight file that is gone',
      () => rmSync(join(checkpoint, 'model-00003-of-00003.safetensors')),
      'MODEL_NOT_FOUND',
      'model-00003-of-00003',
    ],
    [
      'a weight file that was cut',
      () => truncateSync(join(checkpoint, 'model-00001-of-00003.safetensors'), 1000),
      'MODEL_INVALID',
      'model-00001-of-00003',
    ],
    [
      'a weight file with another layout',
      () => changeByte(join(checkpoint, 'model-00001-of-00003.safetensors'), 20),
      'MODEL_INVALID',
      'model-00001-of-00003',
    ],
    ['a changed graph', () => changeByte(join(out, 'decoder.onnx'), 500), 'MODEL_INVALID', 'decoder.onnx'],
    ['changed settings', () => changeByte(join(out, 'config.json'), 100), 'MODEL_INVALID', 'config.json'],
    [
      'a missing graph',
      () => rmSync(join(out, 'vision.onnx'), { force: true }),
      'MODEL_NOT_FOUND',
      'vision.onnx',
    ],
    ['a broken manifest', () => editManifest(() => '{'), 'MODEL_INVALID', 'nvlm.json'],
    [
      'a manifest of a later version',
      () => editManifest(text => text.replace('"version": 4', '"version": 5')),
      'MODEL_UNSUPPORTED',
      'version 5',
    ],
    [
      'a manifest of an earlier version',
      () => editManifest(text => text.replace('"version": 4', '"version": 3')),
      'MODEL_UNSUPPORTED',
      'version 3',
    ],
    [
      'a manifest that names a file outside',
      () => editManifest(text => text.replace('"vision.onnx"', '"../vision.onnx"')),
      'MODEL_INVALID',
      '../vision.onnx',
    ],
    [
      'a manifest with an unknown field',
      () => editManifest(text => text.replace('"version"', '"extra": 1, "version"')),
      'MODEL_INVALID',
      'nvlm.json',
    ],
  ])('refuses %s', async (_, damage, code, mention) => {
    damage()
    await expect(loadStages(host, out)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(mention),
    })
  })
})

/** Flip one bit of a file. */
function changeByte(path: string, offset: number): void {
  const bytes = readFileSync(path)
  bytes[offset] = bytes[offset]! ^ 1
  chmodSync(path, 0o644)
  writeFileSync(path, bytes)
}

function editManifest(edit: (text: string) => string): void {
  const path = join(out, 'nvlm.json')
  const text = readFileSync(path, 'utf8')
  const edited = edit(text)
  expect(edited).not.toBe(text)
  chmodSync(path, 0o644)
  writeFileSync(path, edited)
}

test('files of a prepared folder are read-only', async () => {
  await prepare()
  expect(existsSync(join(out, 'nvlm.json'))).toBe(true)
  for (const name of readdirSync(out)) {
    const { mode } = await import('node:fs').then(fs => fs.statSync(join(out, name)))
    expect(mode & 0o222, name).toBe(0)
  }
})

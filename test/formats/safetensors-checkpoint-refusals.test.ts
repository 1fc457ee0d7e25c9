import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ErrorCode } from '../../src/core/errors.js'
import { openCheckpoint } from '../../src/formats/safetensors-checkpoint.js'
import { watchedFiles } from '../support/watched-files.js'
import { type StoredTensor, writeSafetensors } from '../support/write-safetensors.js'
import { shardName, writeShards } from '../support/write-shards.js'

const SINGLE = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'

let root: string
let folder: string
let numFolders = 0
const path = (name: string) => join(folder, name)

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'nvlm-checkpoint-'))
})
beforeEach(() => {
  folder = join(root, String(numFolders++))
  mkdirSync(folder)
})
afterAll(() => rmSync(root, { recursive: true }))

function tensor(name: string, ...shape: readonly number[]): StoredTensor {
  return { name, dtype: 'BF16', shape }
}

async function expectFailure(code: ErrorCode, message: string | RegExp, hint: RegExp): Promise<void> {
  const files = watchedFiles()
  const error = await openCheckpoint(files, folder).catch((error: unknown) => error)
  expect(error).toMatchObject({ name: 'NVLMError', code, hint: expect.stringMatching(hint) })
  expect((error as Error).message).toMatch(message)
  expect(files.counts.numOpen).toBe(0)
}

describe('refuses', () => {
  test('an index whose shards are missing, naming them and how to get them', async () => {
    await writeShards(folder, [[tensor('a', 1)], [tensor('b', 1)], [tensor('c', 1)]])
    rmSync(path(shardName(2, 3)))
    const message = `${folder}: 1 of 3 shards of ${INDEX} are missing: ${shardName(2, 3)}`
    await expectFailure(
      'MODEL_NOT_FOUND',
      message,
      /hf download <repository> model-00002-of-00003\.safetensors --local-dir/,
    )
  })

  test('an index of which hardly any shard is there, naming the first five', async () => {
    await writeShards(
      folder,
      Array.from({ length: 9 }, (_, i) => [tensor(`t${i}`, 1)]),
    )
    for (let i = 2; i <= 9; i++) rmSync(path(shardName(i, 9)))
    await expectFailure(
      'MODEL_NOT_FOUND',
      /8 of 9 shards .* missing: model-00002-.*model-00006-[^,]*, …$/,
      /model-00006/,
    )
  })

  test('a shard that was cut, naming it and the bytes', async () => {
    await writeShards(folder, [[tensor('a', 100)], [tensor('b', 100)]])
    const { size } = statSync(path(shardName(2, 2)))
    truncateSync(path(shardName(2, 2)), size - 7)
    const message = `${shardName(2, 2)}: was cut: tensors end at byte ${size}, file has ${size - 7}`
    await expectFailure('MODEL_INVALID', message, /download it again/)
  })

  test('a shard cut inside its header', async () => {
    await writeShards(folder, [[tensor('a', 100)]])
    truncateSync(path(shardName(1, 1)), 50)
    await expectFailure(
      'MODEL_INVALID',
      /^model-00001-of-00001\.safetensors: header ends at byte \d+, file has 50/,
      /again/,
    )
  })

  test('a shard with bytes too many', async () => {
    await writeShards(folder, [[tensor('a', 100)]])
    appendFileSync(path(shardName(1, 1)), 'x')
    await expectFailure(
      'MODEL_INVALID',
      /^model-00001-of-00001\.safetensors: has \d+ bytes, tensors end at/,
      /again/,
    )
  })

  test('a shard that is a Git LFS pointer', async () => {
    await writeShards(folder, [[tensor('a', 1)], [tensor('b', 1)]])
    writeFileSync(path(shardName(1, 2)), 'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n')
    await expectFailure(
      'MODEL_INVALID',
      /^model-00001-of-00002\.safetensors: is a Git LFS pointer/,
      /git lfs pull/,
    )
  })

  test('a shard that is a folder', async () => {
    await writeShards(folder, [[tensor('a', 1)]])
    rmSync(path(shardName(1, 1)))
    mkdirSync(path(shardName(1, 1)))
    await expectFailure('MODEL_INVALID', /model-00001-of-00001\.safetensors: is not a regular file/, /file/)
  })

  test('a tensor of the index that its shard lacks', async () => {
    await writeShards(folder, [[tensor('a', 1)], [tensor('b', 1)]], { gone: shardName(2, 2) })
    const message = `${shardName(2, 2)}: lacks tensor "gone", which ${INDEX} places there`
    await expectFailure('MODEL_INVALID', message, /again/)
  })

  test('a tensor that lies in another shard than the index says', async () => {
    await writeShards(folder, [[tensor('a', 1)], [tensor('b', 1)]], {
      a: shardName(2, 2),
      b: shardName(1, 2),
    })
    const message = `${shardName(1, 2)}: has tensor "a", which ${INDEX} places in ${shardName(2, 2)}`
    await expectFailure('MODEL_INVALID', message, /again/)
  })

  test('a tensor in two shards', async () => {
    await writeShards(folder, [
      [tensor('a', 1), tensor('both', 1)],
      [tensor('b', 1), tensor('both', 1)],
    ])
    const message = `${shardName(1, 2)}: has tensor "both", which ${INDEX} places in ${shardName(2, 2)}`
    await expectFailure('MODEL_INVALID', message, /again/)
  })

  test('an index that leaves the folder', async () => {
    writeFileSync(path(INDEX), JSON.stringify({ weight_map: { a: '../0/model.safetensors' } }))
    await expectFailure('MODEL_INVALID', /^model\.safetensors\.index\.json: file name/, /damaged or hostile/)
  })

  test('an index too large to be one, before it is read', async () => {
    writeFileSync(path(INDEX), '')
    truncateSync(path(INDEX), 2 ** 40)
    await expectFailure('MODEL_INVALID', /index\.json: has 1099511627776 bytes, at most 10000000/, /again/)
  })
})

describe('without safetensors weights', () => {
  test('a folder says what was looked for', async () => {
    writeFileSync(path('config.json'), '{}')
    const message = `${folder}: neither ${SINGLE} nor ${INDEX} is there`
    await expectFailure('MODEL_NOT_FOUND', message, /hf download <repository> --local-dir/)
  })

  test('shards without their index are named', async () => {
    await writeSafetensors(path(shardName(1, 2)), [tensor('a', 1)])
    await expectFailure(
      'MODEL_NOT_FOUND',
      /is there, found only model-00001-of-00002\.safetensors$/,
      /whole checkpoint/,
    )
  })

  test.each([
    'pytorch_model.bin',
    'pytorch_model-00001-of-00002.bin',
    'model-q4.gguf',
    'consolidated.00.pth',
    'tf_model.h5',
  ])('weights in %s are unsupported', async name => {
    writeFileSync(path('training_args.bin'), '')
    writeFileSync(path(name), '')
    await expectFailure('MODEL_UNSUPPORTED', `${folder}: weights are in ${name}, expected`, /convert/)
  })

  test('a missing folder does not exist', async () => {
    folder = join(folder, 'nowhere')
    await expectFailure(
      'MODEL_NOT_FOUND',
      `${folder}: does not exist, expected a checkpoint folder`,
      /config\.json/,
    )
  })

  test('a file is not a folder', async () => {
    writeFileSync(path('file.safetensors'), 'x')
    folder = path('file.safetensors')
    await expectFailure('MODEL_NOT_FOUND', `${folder}: is not a folder`, /path of the folder/)
  })
})

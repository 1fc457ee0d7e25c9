import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { inspectModel } from '../../src/nvlm/inspect-model.js'
import { nodeFiles } from '../../src/platform/node/files.js'
import { nodeFolderPublisher } from '../../src/platform/node/folder-publisher.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import { fusionFolder } from '../support/fusion-golden.js'
import { checkpointFolder } from '../support/official-golden.js'
import { watchedFiles } from '../support/watched-files.js'

test('inspecting reads the header of the weights and not one byte of them', async () => {
  const folder = checkpointFolder('nvlmd-tiny-fp32')
  const files = watchedFiles()
  const { family, vision } = await inspectModel(files, folder)
  expect(family).toBe('nvlm-d')
  expect(vision).toBeDefined()
  const headerBytes = Number(readFileSync(`${folder}/model.safetensors`).readBigUInt64LE(0))
  expect(files.counts).toMatchObject({ numBytesRead: 8 + headerBytes, numOpen: 0 })
})

test('a prepared folder keeps the licence that the card of its checkpoint names', async () => {
  const root = mkdtempSync(join(tmpdir(), 'nvlm-license-'))
  try {
    const checkpoint = join(root, 'checkpoint')
    cpSync(checkpointFolder('qwen2-tiny-tied-fp32'), checkpoint, { recursive: true })
    writeFileSync(join(checkpoint, 'README.md'), '---\nlicense: cc-by-nc-4.0\n---\n# A model\n')
    const out = join(root, 'prepared')
    await prepareCheckpoint(nodeFiles, nodeFolderPublisher, checkpoint, { out })
    const license = { id: 'cc-by-nc-4.0', isNonCommercial: true }
    expect(await inspectModel(nodeFiles, checkpoint)).toMatchObject({ kind: 'checkpoint', license })
    expect(await inspectModel(nodeFiles, out)).toMatchObject({ kind: 'prepared', license })
  } finally {
    rmSync(root, { recursive: true })
  }
})

test('inspecting says of each device whether it can run the model, and why not', async () => {
  const folder = checkpointFolder('internvl-tiny-fp32')
  const { needs, devices } = await inspectModel(watchedFiles(), folder, {}, ['cpu', 'webgpu'])
  expect(devices).toEqual([
    { device: 'cpu', canRun: 'yes' },
    { device: 'cuda', canRun: 'no', reason: 'its libraries are not installed' },
    { device: 'webgpu', canRun: 'unknown', reason: 'not tested yet; its memory is not known' },
    { device: 'dml', canRun: 'no', reason: 'its libraries are not installed' },
    { device: 'coreml', canRun: 'no', reason: 'its libraries are not installed' },
  ])
  const sizes = needs!.map(({ memoryBytes }) => memoryBytes)
  const smallest = needs!.find(({ memoryBytes }) => memoryBytes === Math.min(...sizes))!
  const tight = await inspectModel(watchedFiles(), folder, { memoryBytes: smallest.memoryBytes }, ['cpu'])
  expect(tight.devices[0]).toMatchObject({ canRun: 'yes', reason: expect.stringContaining(smallest.dtype) })
})

test.each([
  ['nvlm-d', checkpointFolder('nvlmd-tiny-fp32'), 'self-attention', 0],
  ['nvlm-x', fusionFolder('x'), 'cross-attention', 7],
  ['nvlm-h', fusionFolder('h'), 'hybrid', 6],
] as const)('inspecting explains how pictures reach %s', async (name, folder, fusion, numCrossTiles) => {
  const model = await inspectModel(watchedFiles(), folder)
  expect(model).toMatchObject({ family: name, fusion })
  // two layers, two heads of 16, keys and values of four bytes, four rows a tile
  const bytesPerTile = 2 * 2 * 16 * 2 * 4 * 4
  expect(model.crossAttention).toEqual(
    numCrossTiles === 0 ? undefined : { layers: [0, 2], placement: 'after-self-attention', bytesPerTile },
  )
  // one picture of most tiles is counted beside the tokens
  const { needs } = await inspectModel(watchedFiles(), folder, { dtype: 'fp32', contextLength: 1 })
  const longer = await inspectModel(watchedFiles(), folder, { dtype: 'fp32', contextLength: 2 })
  expect(longer.needs![0]!.memoryBytes - needs![0]!.memoryBytes).toBe(model.cacheBytesPerToken)
  const work = 500_000_000 + model.cacheBytesPerToken + numCrossTiles * bytesPerTile
  expect(needs![0]!.memoryBytes - work).toBe(widenedBytes(folder, model.decoder))
})

/** float32 bytes of all weights that are loaded: those of the file, without the embedding table and the dummy heads. */
function widenedBytes(folder: string, { vocabSize, hiddenSize }: { vocabSize: number; hiddenSize: number }) {
  const config = JSON.parse(readFileSync(`${folder}/config.json`, 'utf8'))
  const { hidden_size: width, num_attention_heads: heads, num_hidden_layers: layers } = config.vision_config
  const padding = (7 * width) / heads
  // rows of queries, keys and values, columns of the output, and the norms of queries and keys
  const dummies = layers * (3 * padding * width + width * padding + 2 * padding)
  const file = readFileSync(`${folder}/model.safetensors`)
  const bytes = file.length - 8 - Number(file.readBigUInt64LE(0))
  return bytes - 4 * (vocabSize * hiddenSize + dummies)
}

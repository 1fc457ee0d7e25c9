import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nodeFiles } from '../../src/platform/node/files.js'
import { nodeFolderPublisher } from '../../src/platform/node/folder-publisher.js'
import { buildModel } from '../../src/prepare/build-model.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import { openPrepared } from '../../src/prepare/prepared-model.js'
import type { RunnableModel } from '../../src/prepare/runnable-model.js'
import { nvlm72B, nvlmConfig, nvlmTensors, writeShardedCheckpoint } from '../support/nvlm-d-72b.js'

const folder = mkdtempSync(join(tmpdir(), 'nvlm-72b-'))
const checkpoint = join(folder, 'checkpoint')
const prepared = join(folder, 'prepared')

beforeAll(async () => {
  const tensors = nvlmTensors(nvlm72B)
  expect(tensors).toHaveLength(1556)
  await writeShardedCheckpoint(checkpoint, nvlmConfig(nvlm72B), tensors, 46)
})
afterAll(() => rmSync(folder, { recursive: true }))

test('prepares all 125 layers of the 72B model in under 60 s and 1 GB', async () => {
  const started = performance.now()
  const manifest = await prepareCheckpoint(nodeFiles, nodeFolderPublisher, checkpoint, { out: prepared })
  expect(performance.now() - started).toBeLessThan(60_000)
  expect(process.resourceUsage().maxRSS).toBeLessThan(1_000_000)
  expect(manifest.checkpoint?.files).toHaveLength(46)
  const dataBytes = manifest.checkpoint!.totalBytes
  expect(dataBytes).toBeGreaterThanOrEqual(176_901_927_168)
  expect(dataBytes).toBeLessThan(176_901_927_168 + 1_000_000)
})

test('writes a few megabytes and copies no weights', () => {
  const sizes = readdirSync(prepared).map(name => statSync(join(prepared, name)).size)
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(20_000_000)
})

test('names every weight of the 125 layers once, at its place', async () => {
  const { graphs } = await openPrepared(nodeFiles, prepared)
  const text = Buffer.concat([graphs.vision!, graphs.projector!, graphs.decoder]).toString('latin1')
  for (const { name } of nvlmTensors(nvlm72B)) {
    // the embedding table is read from its file, not by a graph; attention weights are named by their rows
    if (!name.includes('embed_tokens')) expect(text.includes(name), name).toBe(true)
  }
  expect(text).toContain('model-00046-of-00046.safetensors')
})

test('leaves the zero dummy heads out', async () => {
  const { graphs } = await buildModel(nodeFiles, checkpoint)
  const rowsOfValues = 'vision_model.encoder.layers.44.attn.qkv.weight[8192:11392]'
  expect(Buffer.from(graphs.vision!).includes(rowsOfValues)).toBe(true)
})

test.each(['vision', 'projector'] as const)('ONNX Runtime accepts the whole %s graph', async part => {
  await expectAccepted(await openPrepared(nodeFiles, prepared), part)
})

test('ONNX Runtime accepts the decoder graph', async () => {
  // the layers are alike, and checking a graph takes ONNX Runtime the square of their number
  const numLayers = 16
  const sizes = { ...nvlm72B, numVisionLayers: 1, numDecoderLayers: numLayers }
  const cut = join(folder, 'cut')
  await writeShardedCheckpoint(cut, nvlmConfig(sizes), nvlmTensors(sizes), 8)
  const inputs = await expectAccepted(await buildModel(nodeFiles, cut), 'decoder')
  expect(inputs.filter(name => name.startsWith('pastKey.'))).toHaveLength(numLayers)
})

/** Load a graph without folding or packing its weights, which stay untouched in their files; gives its inputs. */
async function expectAccepted(
  { graphs, dataFolder }: RunnableModel,
  part: 'vision' | 'projector' | 'decoder',
): Promise<readonly string[]> {
  const session = await InferenceSession.create(graphs[part]!, {
    graphOptimizationLevel: 'disabled',
    enableMemPattern: false,
    logSeverityLevel: 3,
    extra: { session: { disable_prepacking: '1', model_external_initializers_file_folder_path: dataFolder } },
  })
  await session.release()
  return session.inputNames
}

test('refuses a checkpoint whose config.json asks for other sizes', async () => {
  const config = nvlmConfig({ ...nvlm72B, vocabSize: 152_000 })
  writeFileSync(join(checkpoint, 'config.json'), JSON.stringify(config))
  await expect(buildModel(nodeFiles, checkpoint)).rejects.toThrow(
    /embed_tokens.weight" is \[152064, 8192\].*\[152000, 8192\]/,
  )
  writeFileSync(join(checkpoint, 'config.json'), readFileSync(join(prepared, 'config.json')))
})

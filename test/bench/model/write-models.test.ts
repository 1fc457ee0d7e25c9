import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../../src/backend/node/onnxruntime-node-backend.js'
import { loadStages } from '../../../src/nvlm/load-stages.js'
import { nodePlatform } from '../../../src/platform/node/node-platform.js'
import { checkpointFolder as officialFolder } from '../../support/official-golden.js'
import type { ModelShape } from './shapes.js'
import { shapes } from './shapes.js'
import { wordChain } from './word-chain.js'
import { writeQwen2 } from './write-checkpoint.js'
import { writeTransformersModel } from './write-transformers.js'

const folder = mkdtempSync(join(tmpdir(), 'nvlm-bench-'))
const vocabSize = 512
const shape: ModelShape = { ...shapes.tiny, decoder: { ...shapes.tiny.decoder, vocabSize } }
const vocabulary = Object.fromEntries(
  [...'abcdefgh'].map((letter, index) => [`Ġ${letter.repeat(3)}`, 300 + index]),
)
const chain = wordChain(vocabulary)
const inputIds = Array.from({ length: 40 }, (_, index) => (index * 13) % 256)

beforeAll(async () => {
  await writeQwen2(join(folder, 'checkpoint'), shape, chain)
  // a tokeniser as small as the vocabulary
  rmSync(join(folder, 'checkpoint', 'tokenizer.json'))
  for (const name of ['vocab.json', 'merges.txt', 'tokenizer_config.json']) {
    copyFileSync(join(officialFolder('nvlmd-tiny-fp32'), name), join(folder, 'checkpoint', name))
  }
  await writeTransformersModel(join(folder, 'transformers'), shape, chain)
})
afterAll(() => rmSync(folder, { recursive: true }))

test('the graph for transformers.js computes what the decoder of the checkpoint computes', async () => {
  const expected = await checkpointLogits(inputIds)
  const { logits } = await transformersLogits(inputIds, 1n)
  expect(logits!.dims).toEqual([1, 1, vocabSize])
  const actual = logits!.data as Float32Array
  // its layers round their inputs to 8 bits
  const spread = Math.max(...expected) - Math.min(...expected)
  for (const [index, value] of expected.entries())
    expect(Math.abs(actual[index]! - value)).toBeLessThan(0.03 * spread)
})

test('the graph for transformers.js gives all logits when it is asked to keep none', async () => {
  const { logits, 'present.0.key': present } = await transformersLogits(inputIds, 0n)
  expect(logits!.dims).toEqual([1, inputIds.length, vocabSize])
  expect(present!.dims).toEqual([1, 2, inputIds.length, shape.decoder.headDim])
})

test('the model says the words of the chain one after the other, beginning after a line break', async () => {
  const said: number[] = []
  let token = 198
  for (let i = 0; i < chain.ids.length; i++) {
    const logits = await checkpointLogits([...inputIds, token])
    token = logits.indexOf(Math.max(...logits))
    said.push(token)
  }
  expect(said).toEqual(chain.ids)
})

async function checkpointLogits(ids: readonly number[]): Promise<Float32Array> {
  const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }
  const stages = await loadStages(host, join(folder, 'checkpoint'))
  const state = await stages.decoder.open({ contextLength: 64 })
  const { data } = await state.prefill({ inputIds: ids })
  await stages.dispose()
  return data
}

async function transformersLogits(
  ids: readonly number[],
  keep: bigint,
): Promise<Readonly<Record<string, Tensor>>> {
  const { numHiddenLayers, numKeyValueHeads, headDim } = shape.decoder
  const session = await InferenceSession.create(join(folder, 'transformers', 'onnx', 'model_q4.onnx'))
  const ints = (values: readonly number[]) =>
    new Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length])
  const feeds: Record<string, Tensor> = {
    input_ids: ints(ids),
    attention_mask: ints(ids.map(() => 1)),
    num_logits_to_keep: new Tensor('int64', BigInt64Array.of(keep), []),
  }
  for (let layer = 0; layer < numHiddenLayers; layer++) {
    for (const kind of ['key', 'value']) {
      const past = new Tensor('float32', new Float32Array(0), [1, numKeyValueHeads, 0, headDim])
      feeds[`past_key_values.${layer}.${kind}`] = past
    }
  }
  const outputs = await session.run(feeds)
  await session.release()
  return outputs as Record<string, Tensor>
}

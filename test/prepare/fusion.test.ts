import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { encodeManifest } from '../../src/prepare/manifest.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import type { PrepareOptions } from '../../src/prepare/prepare-options.js'
import { verifyModel } from '../../src/prepare/verify-model.js'
import { type Drift, driftOf } from '../support/drift.js'
import { fusionFolder, messagesOf, readCases } from '../support/fusion-golden.js'
import { readPrompt } from '../support/fusion-prompt.js'
import { maxAbsDiff } from '../support/official-golden.js'

const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }
const { files, publisher } = nodePlatform

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nvlm-fusion-prepared-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function prepare(name: string, to: string, options: Omit<PrepareOptions, 'out'> = {}): Promise<string> {
  const out = join(folder, to)
  await prepareCheckpoint(files, publisher, fusionFolder(name), { out, ...options })
  return out
}

/** Logits of all tokens of the golden prompt with two pictures. */
async function logitsOf(name: string, model: string): Promise<Float32Array> {
  const [, one] = readCases(name).find(([caseName]) => caseName === 'two_pictures')!
  const stages = await loadStages(host, model)
  const { input } = await readPrompt(stages, messagesOf(one))
  const state = await stages.decoder.open({ contextLength: 256 })
  const { data } = await state.prefill(input, { allPositions: true })
  await stages.dispose()
  return data
}

/** About twice the drift that was measured; these weights are random, and those of a trained model drift less. */
const dtypes: readonly (readonly [string, Pick<Drift, 'maxLogit' | 'kl' | 'top1'>])[] = [
  ['bf16', { maxLogit: 0.06, kl: 0.00003, top1: 0.96 }],
  ['fp16', { maxLogit: 0.006, kl: 0.000001, top1: 0.98 }],
  ['q8', { maxLogit: 0.25, kl: 0.0005, top1: 0.93 }],
  ['q4', { maxLogit: 2, kl: 0.04, top1: 0.6 }],
  ['decoder=q8,projector=fp16,vision=int8', { maxLogit: 0.25, kl: 0.0005, top1: 0.9 }],
]

describe.each(['x', 'h'])('NVLM-%s', name => {
  test('in fp32 reads its weights in place, and gives the very logits of the checkpoint', async () => {
    const out = await prepare(name, `${name}-fp32`)
    expect(readdirSync(out)).toContain('cross-keys.onnx')
    expect(JSON.parse(readFileSync(join(out, 'nvlm.json'), 'utf8'))).toMatchObject({
      family: `nvlm-${name}`,
      fusion: name === 'x' ? 'cross-attention' : 'hybrid',
      data: [],
    })
    expect(await logitsOf(name, out)).toEqual(await logitsOf(name, fusionFolder(name)))
  })

  test.each(dtypes)('has weights of its own in %s, whose logits stay near', async (dtype, limit) => {
    const out = await prepare(name, `${name}-${dtype}`, { dtype })
    expect(readdirSync(out)).toContain('cross-keys-00001.bin')
    expect((await verifyModel(files, out)).ok).toBe(true)
    const [, one] = readCases(name).find(([caseName]) => caseName === 'two_pictures')!
    const drift = driftOf(one.logits, await logitsOf(name, out), one.shape[1])
    expect(drift.maxLogit).toBeGreaterThan(1e-4)
    expect(drift.maxLogit).toBeLessThanOrEqual(limit.maxLogit)
    expect(drift.kl).toBeLessThanOrEqual(limit.kl)
    expect(drift.top1).toBeGreaterThanOrEqual(limit.top1)
  })

  test('taken up again after an abort it is byte for byte the same', async () => {
    const controller = new AbortController()
    const onProgress: PrepareOptions['onProgress'] = ({ step, done, total }) => {
      if (step === 'weights' && done > total / 2) controller.abort(new Error('enough'))
    }
    const options = { dtype: 'q4', signal: controller.signal, onProgress }
    await expect(prepare(name, `${name}-resumed`, options)).rejects.toThrow('enough')
    const resumed = await prepare(name, `${name}-resumed`, { dtype: 'q4' })
    for (const file of ['cross-keys.onnx', 'cross-keys-00001.bin', 'decoder-00001.bin'])
      expect(readFileSync(join(resumed, file))).toEqual(readFileSync(join(folder, `${name}-q4`, file)))
  })
})

test('a flipped bit in the cross-attention keys is found', async () => {
  for (const file of ['cross-keys.onnx', 'cross-keys-00001.bin']) {
    const out = await prepare('x', `flipped-${file}`, { dtype: 'q8' })
    const path = join(out, file)
    chmodSync(path, 0o644)
    const bytes = readFileSync(path)
    bytes[bytes.length >> 1]! ^= 1
    writeFileSync(path, bytes)
    const { ok, files: checked } = await verifyModel(files, out)
    expect(ok).toBe(false)
    expect(checked.filter(({ state }) => state === 'changed').map(one => one.file)).toEqual([file])
  }
})

test.each([
  ['another fusion', { fusion: 'hybrid' }, 'fusion is hybrid, config.json says cross-attention'],
  [
    'no graph of keys',
    { graphs: { crossKeys: undefined } },
    "graphs do not fit config.json's cross_attention",
  ],
])('a manifest that has %s than its config.json is refused', async (what, change, mention) => {
  const out = await prepare('x', `wrong-${what}`)
  const path = join(out, 'nvlm.json')
  const { manifestSha256: _, ...manifest } = JSON.parse(readFileSync(path, 'utf8'))
  const graphs = { ...manifest.graphs, ...('graphs' in change ? change.graphs : {}) }
  chmodSync(path, 0o644)
  writeFileSync(path, await encodeManifest({ ...manifest, ...change, graphs }))
  await expect(loadStages(host, out)).rejects.toMatchObject({
    code: 'MODEL_INVALID',
    message: expect.stringContaining(mention),
  })
})

test('a folder of an older release, which does not name the fusion, still loads', async () => {
  const out = await prepare('h', 'older')
  const path = join(out, 'nvlm.json')
  const { manifestSha256: _, fusion: __, ...manifest } = JSON.parse(readFileSync(path, 'utf8'))
  chmodSync(path, 0o644)
  writeFileSync(path, await encodeManifest(manifest))
  expect(maxAbsDiff(await logitsOf('h', out), await logitsOf('h', fusionFolder('h')))).toBe(0)
})

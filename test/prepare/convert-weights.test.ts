import {
  chmodSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { onnxruntimeNodeBackend } from '../../src/backend/node/onnxruntime-node-backend.js'
import { openCheckpoint } from '../../src/formats/safetensors-checkpoint.js'
import { loadStages } from '../../src/nvlm/load-stages.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { type PrepareMachine, prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import type { PrepareOptions } from '../../src/prepare/prepare-options.js'
import { verifyModel } from '../../src/prepare/verify-model.js'
import { checkpointFolder, maxAbsDiff, readGolden } from '../support/official-golden.js'

const host = { platform: nodePlatform, backend: onnxruntimeNodeBackend }
const { files, publisher } = nodePlatform
const NAME = 'nvlmd-tiny-bf16-sharded'

let folder: string
let checkpoint: string
let out: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'nvlm-convert-'))
  checkpoint = join(folder, 'checkpoint')
  out = join(folder, 'prepared')
  cpSync(checkpointFolder(NAME), checkpoint, { recursive: true })
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function prepare(options: Partial<PrepareOptions> = {}, machine: PrepareMachine = {}) {
  return prepareCheckpoint(files, publisher, checkpoint, { out, ...options }, machine)
}

async function textLogits(modelFolder: string): Promise<Float32Array> {
  const stages = await loadStages(host, modelFolder)
  try {
    const state = await stages.decoder.open({ contextLength: 64 })
    const { inputIds } = readGolden(NAME).cases[0]!
    return (await state.prefill({ inputIds }, { allPositions: true })).data
  } finally {
    await stages.dispose()
  }
}

function contents(path: string): ReadonlyMap<string, string> {
  return new Map(readdirSync(path).map(name => [name, readFileSync(join(path, name)).toString('base64')]))
}

test('a folder with weights of its own needs no checkpoint, and bf16 of bf16 is bit for bit the same', async () => {
  const expected = await textLogits(checkpoint)
  const manifest = await prepare({ dtype: 'bf16' })
  expect(manifest.checkpoint).toBeUndefined()
  rmSync(checkpoint, { recursive: true })
  expect(maxAbsDiff(await textLogits(out), expected)).toBe(0)
})

test('data files stay below their limit: large tensors are cut by rows, and compute the same', async () => {
  await prepare({ dtype: 'q8', activations: 'fp32' })
  const expected = await textLogits(out)
  rmSync(out, { recursive: true })
  const manifest = await prepare({ dtype: 'q8', activations: 'fp32' }, { maxFileBytes: 20_000 })
  expect(manifest.data.length).toBeGreaterThan(20)
  expect(manifest.embedding.pieces.length).toBeGreaterThan(1)
  for (const { file } of manifest.data) expect(statSync(join(out, file)).size).toBeLessThanOrEqual(20_000)
  expect(maxAbsDiff(await textLogits(out), expected)).toBeLessThan(1e-5)
})

test('an aborted conversion is kept, and the next run does only the rest', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const seen: number[] = []
  const onProgress: PrepareOptions['onProgress'] = ({ step, done, total }) => {
    if (step === 'weights' && done > total / 2) controller.abort(reason)
  }
  const options = { dtype: 'q4', signal: controller.signal, onProgress }
  await expect(prepare(options, { journalBytes: 1 })).rejects.toBe(reason)
  expect(readdirSync(folder).filter(name => name.startsWith('.prepared.draft-'))).toHaveLength(1)
  await prepare({
    dtype: 'q4',
    onProgress: ({ step, done, total }) => {
      if (step === 'weights') seen.push(done / total)
    },
  })
  expect(seen[0]).toBeGreaterThan(0.4)
  expect(seen.at(-1)).toBe(1)
  const resumed = contents(out)
  rmSync(out, { recursive: true })
  await prepare({ dtype: 'q4' })
  expect(contents(out)).toEqual(resumed)
  expect(readdirSync(folder).sort()).toEqual(['checkpoint', 'prepared'])
})

test('what was left of other work is not taken up', async () => {
  const controller = new AbortController()
  const onProgress: PrepareOptions['onProgress'] = ({ step, done, total }) => {
    if (step === 'weights' && done > total / 2) controller.abort()
  }
  const stopped = prepare({ dtype: 'q4', signal: controller.signal, onProgress }, { journalBytes: 1 })
  await expect(stopped).rejects.toThrow()
  await prepare({ dtype: 'q4', rounding: 'min-max' })
  const afterRemains = contents(out)
  rmSync(out, { recursive: true })
  await prepare({ dtype: 'q4', rounding: 'min-max' })
  expect(contents(out)).toEqual(afterRemains)
  expect(readdirSync(folder).sort()).toEqual(['checkpoint', 'prepared'])
})

test('weights that are not finite are refused by name', async () => {
  const name = 'language_model.lm_head.weight'
  const { file, offset } = (await openCheckpoint(files, checkpoint)).tensors.get(name)!
  const bytes = readFileSync(file)
  bytes.writeUInt16LE(0x7fc0, offset + 100)
  writeFileSync(file, bytes)
  await expect(prepare({ dtype: 'q4' })).rejects.toMatchObject({
    code: 'NUMERIC',
    message: expect.stringContaining(`tensor "${name}" holds NaN`),
  })
  expect(readdirSync(folder)).toEqual(['checkpoint'])
})

describe('verify', () => {
  test('finds one flipped bit in every file', async () => {
    const manifest = await prepare({ dtype: 'q4' })
    expect(await verifyModel(files, out)).toMatchObject({ ok: true })
    expect(manifest.data.length).toBe(3)
    for (const name of readdirSync(out)) {
      const path = join(out, name)
      const whole = readFileSync(path)
      for (const share of [0, 0.37, 1]) {
        const damaged = Uint8Array.from(whole)
        const index = Math.round((whole.length - 1) * share)
        damaged[index] = damaged[index]! ^ (1 << (index % 8))
        chmodSync(path, 0o644)
        writeFileSync(path, damaged)
        const result = await verifyModel(files, out).catch(error => error)
        if (name === 'nvlm.json') expect(result).toMatchObject({ name: 'NVLMError' })
        else expect(result).toMatchObject({ ok: false })
        if (name !== 'nvlm.json')
          expect(result.files.filter(({ state }: { state: string }) => state !== 'whole')).toEqual([
            { file: name, bytes: whole.length, state: 'changed' },
          ])
      }
      writeFileSync(path, whole)
    }
    rmSync(join(out, 'decoder-00001.bin'))
    expect((await verifyModel(files, out)).files.map(({ state }) => state)).toContain('missing')
  })

  test('checks weights in place as far as their hash was recorded', async () => {
    await prepare()
    const first = await verifyModel(files, out)
    expect(first.ok).toBe(true)
    expect(first.files.filter(({ state }) => state === 'header-only')).toHaveLength(3)
    rmSync(out, { recursive: true })
    await prepare({ hashWeights: true })
    const path = join(checkpoint, 'model-00002-of-00003.safetensors')
    const bytes = readFileSync(path)
    bytes[bytes.length - 1]! ^= 1
    writeFileSync(path, bytes)
    const second = await verifyModel(files, out)
    expect(
      second.files.filter(({ state }) => state !== 'whole').map(({ file, state }) => [file, state]),
    ).toEqual([['model-00002-of-00003.safetensors', 'changed']])
  })
})

describe('loading with a dtype', () => {
  test.each(['q4', 'decoder=q8', 'bf16'])(
    'refuses %s for a checkpoint and names the command',
    async dtype => {
      await expect(loadStages(host, checkpoint, { dtype })).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        hint: expect.stringContaining(`nvlm prepare ${checkpoint} --dtype`),
      })
    },
  )

  test('takes that of the folder and refuses others', async () => {
    await prepare({ dtype: 'q8' })
    for (const dtype of ['auto', 'q8', { decoder: 'q8', projector: 'q8' }] as const) {
      const stages = await loadStages(host, out, { dtype })
      expect(stages.info.dtype).toEqual({ vision: 'fp32', projector: 'q8', decoder: 'q8' })
      await stages.dispose()
    }
    await expect(loadStages(host, out, { dtype: 'fp32' })).rejects.toMatchObject({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('was prepared as q8'),
    })
  })
})

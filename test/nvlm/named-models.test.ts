import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  downloadModel,
  inspectModel,
  type LicenseNotice,
  type LoadProgress,
  loadStages,
  NVLM,
  Tokenizer,
} from '../../src/node.js'
import { folderToLoad, type SourceHost } from '../../src/nvlm/folder-to-load.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'
import { FakeHub } from '../support/fake-hub.js'
import { testPlatform } from '../support/hub-platform.js'
import { nvlm72B, nvlmConfig, nvlmTensors, writeShardedCheckpoint } from '../support/nvlm-d-72b.js'
import { checkpointFolder } from '../support/official-golden.js'
import { packAwq, quantise } from '../support/pack-matrix.js'
import { readTensors } from '../support/rename-tensors.js'
import { projectFolder } from '../support/run-node.js'
import { type StoredTensor, writeSafetensors } from '../support/write-safetensors.js'

const NAME = 'OpenGVLab/InternVL-tiny'
/** Node without its threads, which need the built package. */
const host: SourceHost = {
  hub: testPlatform({}),
  prepare: (folder, options) =>
    prepareCheckpoint(nodePlatform.files, nodePlatform.publisher, folder, options),
}
const CARD = '---\nlicense: cc-by-nc-4.0\n---\n# Tiny\n'

let hub: FakeHub
let source: { readonly endpoint: string; readonly cacheDir: string }

beforeEach(async () => {
  hub = await FakeHub.start()
  hub.addFolder(NAME, checkpointFolder('internvl-tiny-fp32'), { 'README.md': CARD })
  source = { endpoint: hub.endpoint, cacheDir: mkdtempSync(join(tmpdir(), 'nvlm-named-')) }
})
afterEach(async () => {
  await hub.close()
  rmSync(source.cacheDir, { recursive: true, force: true })
})

/** A checkpoint whose decoder matrices are 4-bit weights of AWQ. */
async function writeAwqCheckpoint(folder: string): Promise<void> {
  const original = join(projectFolder, 'test/golden/towers/ckpt/llama3')
  cpSync(original, folder, { recursive: true })
  const tensors = readTensors(join(original, 'model.safetensors')).flatMap(
    (tensor): readonly StoredTensor[] => {
      if (!/^language_model\.model\.layers\..*_proj\.weight$/.test(tensor.name)) return [tensor]
      const [rows, columns] = tensor.shape as [number, number]
      return packAwq(tensor.name.replace(/\.weight$/, ''), quantise(tensor.data, rows, columns, 32, true))
    },
  )
  await writeSafetensors(join(folder, 'model.safetensors'), tensors)
  const config: object = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
  const quantization_config = {
    quant_method: 'awq',
    bits: 4,
    group_size: 32,
    version: 'gemm',
    zero_point: true,
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, quantization_config }))
}

/** A line of log for each warning. */
function warningLog() {
  const warnings: string[] = []
  const nothing = () => {}
  const warn = (message: string) => void warnings.push(message)
  return { warnings, logger: { debug: nothing, info: nothing, warn, error: nothing } }
}

describe('a model by name', () => {
  test('is downloaded, loaded and answers as its folder does; the second time nothing is downloaded', async () => {
    const stages: string[] = []
    const onProgress = ({ stage }: LoadProgress) => stages.push(stage)
    const nvlm = await NVLM.load(NAME, { ...source, onProgress, worker: false })
    const local = await NVLM.load(checkpointFolder('internvl-tiny-fp32'), { worker: false })
    const question = { prompt: 'What is it?', maxTokens: 5 }
    const [named, known] = [await nvlm.generate(question), await local.generate(question)]
    expect(named.tokenIds).toEqual(known.tokenIds)
    expect(nvlm.info.id).toBe(NAME)
    expect([...new Set(stages)]).toEqual([
      'download',
      'open',
      'tokenizer',
      'vision',
      'projector',
      'decoder',
      'ready',
    ])
    const numBytes = hub.numBytesSent
    const again: string[] = []
    await (await loadStages(NAME, { ...source, onProgress: ({ stage }) => again.push(stage) })).dispose()
    expect(hub.numBytesSent).toBe(numBytes)
    expect(again).not.toContain('download')
    await Promise.all([nvlm.dispose(), local.dispose()])
  })

  test('in shards is read through the links of the cache', async () => {
    hub.addFolder('nvidia/NVLM-tiny', checkpointFolder('nvlmd-tiny-bf16-sharded'))
    const stages = await loadStages('nvidia/NVLM-tiny', source)
    expect(stages.info).toMatchObject({ id: 'nvidia/NVLM-tiny', family: 'nvlm-d' })
    await stages.dispose()
  })

  test('with a dtype is converted once, beside the snapshot', async () => {
    const stages: string[] = []
    const onProgress = ({ stage }: LoadProgress) => stages.push(stage)
    const folder = await folderToLoad(host, NAME, source, { dtype: 'q8', onProgress })
    expect([...new Set(stages)]).toEqual(['download', 'prepare'])
    expect((await inspectModel(folder)).dtype.decoder).toBe('q8')
    stages.length = 0
    expect(await folderToLoad(host, NAME, source, { dtype: 'q8', onProgress })).toBe(folder)
    expect(stages).toEqual([])
    const prepared = readdirSync(join(source.cacheDir, 'models--OpenGVLab--InternVL-tiny', 'prepared'))
    expect(prepared).toEqual([expect.stringMatching(/^[0-9a-f]{40}-q8-v\d+$/)])
  })

  test('that was published quantised is put in the order of the engine, without a dtype', async () => {
    const folder = join(source.cacheDir, 'awq')
    await writeAwqCheckpoint(folder)
    hub.addFolder('me/awq', folder)
    const stages: string[] = []
    const prepared = await folderToLoad(host, 'me/awq', source, {
      onProgress: ({ stage }) => stages.push(stage),
    })
    expect([...new Set(stages)]).toEqual(['download', 'prepare'])
    expect((await inspectModel(prepared)).dtype.decoder).toBe('q4')
  })

  test('gives its tokenizer without its weights', async () => {
    const tokenizer = await Tokenizer.load(NAME, source)
    expect(tokenizer.encode('hello').length).toBeGreaterThan(0)
    expect(hub.requestsFor('model.safetensors')).toEqual([])
  })

  test('is a path if there is such a folder, and with ./ in any case', async () => {
    const cwd = process.cwd()
    process.chdir(source.cacheDir)
    try {
      mkdirSync('a/b', { recursive: true })
      await expect(loadStages('a/b', source)).rejects.toMatchObject({
        message: expect.stringContaining('has neither config.json'),
      })
      await expect(loadStages('./c/d', source)).rejects.toMatchObject({
        message: './c/d: does not exist',
        code: 'MODEL_NOT_FOUND',
      })
      await expect(loadStages('a/b', { revision: 'v1' })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    } finally {
      process.chdir(cwd)
    }
    expect(hub.requests).toEqual([])
  })

  test('with wrong options is refused before any request', async () => {
    const wrong: readonly object[] = [{ dtype: 'q9' }, { revision: 7 }, { loud: true }, { onLicense: 'yes' }]
    for (const options of wrong) {
      await expect(NVLM.load(NAME, { ...source, ...options })).rejects.toMatchObject({
        code: 'INVALID_OPTION',
      })
    }
    expect(hub.requests).toEqual([])
  })
})

describe('before anything large is downloaded', () => {
  test('a model that does not fit the memory is refused', async () => {
    const platform = testPlatform({}, { memoryBytes: 1_000_000 })
    await expect(folderToLoad({ ...host, hub: platform }, NAME, source, {})).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(/fp32 needs about .* this machine has/),
    })
    expect(readdirSync(source.cacheDir)).toEqual([])
  })

  test('NVLM-D-72B, 177 GB in 46 shards, is looked into by 12 MB of headers, and refused where it does not fit', async () => {
    const folder = join(source.cacheDir, 'shards')
    await writeShardedCheckpoint(folder, nvlmConfig(nvlm72B), nvlmTensors(nvlm72B), 46)
    hub.addLargeFolder('nvidia/NVLM-D-72B', folder)
    const { family, download, needs } = await inspectModel('nvidia/NVLM-D-72B', source)
    expect(family).toBe('nvlm-d')
    expect(download!.totalBytes).toBeGreaterThan(176_901_927_168)
    expect(needs!.find(({ dtype }) => dtype === 'q4')!.memoryBytes).toBeLessThan(80e9)
    expect(hub.numBytesSent).toBeLessThan(13_000_000)
    const small = { ...host, hub: testPlatform({}, { memoryBytes: 24e9 }) }
    await expect(folderToLoad(small, 'nvidia/NVLM-D-72B', source, { dtype: 'q4' })).rejects.toMatchObject({
      code: 'MODEL_UNSUPPORTED',
      message: expect.stringMatching(/^q4 needs about [\d.]+ GB of memory .* this machine has 24\.0 GB$/),
    })
    expect(hub.numBytesSent).toBeLessThan(26_000_000)
    expect(readdirSync(source.cacheDir)).toEqual(['shards'])
  })

  test('a model of an unknown family is refused', async () => {
    hub.addFolder('some/body', checkpointFolder('internvl-tiny-fp32'), {
      'config.json': '{"model_type":"bert"}',
    })
    await expect(downloadModel('some/body', source)).rejects.toMatchObject({ code: 'MODEL_UNSUPPORTED' })
    expect(readdirSync(source.cacheDir)).toEqual([])
  })

  test('a licence that forbids commercial use is told, once', async () => {
    const { warnings, logger } = warningLog()
    const notices: LicenseNotice[] = []
    const options = { ...source, logger, onLicense: (notice: LicenseNotice) => notices.push(notice) }
    await Tokenizer.load(NAME, source)
    await downloadModel(NAME, options)
    await downloadModel(NAME, options)
    expect(warnings).toEqual([`${NAME} is licensed cc-by-nc-4.0: not for commercial use`])
    expect(notices).toEqual([
      { model: NAME, license: { id: 'cc-by-nc-4.0', isNonCommercial: true }, message: warnings[0] },
    ])
  })

  test('a listener of the licence can refuse', async () => {
    const refusal = new Error('not for us')
    const onLicense = () => {
      throw refusal
    }
    await expect(downloadModel(NAME, { ...source, onLicense })).rejects.toBe(refusal)
    expect(readdirSync(source.cacheDir)).toEqual([])
  })

  test('a licence that allows it is no notice', async () => {
    hub.addFolder(NAME, checkpointFolder('internvl-tiny-fp32'), { 'README.md': '---\nlicense: mit\n---\n' })
    const { warnings, logger } = warningLog()
    await downloadModel(NAME, { ...source, logger })
    expect(warnings).toEqual([])
  })
})

describe('inspecting a model by name', () => {
  test('tells what it needs and may be used for, from headers alone', async () => {
    const inspection = await inspectModel(NAME, source)
    expect(inspection).toMatchObject({
      id: NAME,
      kind: 'checkpoint',
      family: 'internvl',
      license: { id: 'cc-by-nc-4.0', isNonCommercial: true },
      download: { cachedBytes: 0, commit: expect.stringMatching(/^[0-9a-f]{40}$/) },
    })
    expect(inspection.needs?.length).toBeGreaterThan(1)
    expect(inspection.devices.find(({ device }) => device === 'cpu')).toEqual({
      device: 'cpu',
      canRun: 'yes',
    })
    expect(inspection.devices.find(({ device }) => device === 'dml')).toMatchObject({
      canRun: 'no',
      reason: expect.any(String),
    })
    expect(readdirSync(source.cacheDir)).toEqual([])
    const local = await inspectModel(checkpointFolder('internvl-tiny-fp32'))
    expect({ ...inspection, id: '', license: undefined, download: undefined }).toEqual({
      ...{ ...local, id: '', license: undefined, download: undefined },
    })
  })

  test('says how much is in the cache, and offline looks there', async () => {
    await downloadModel(NAME, source)
    const { download } = await inspectModel(NAME, source)
    expect(download!.cachedBytes).toBe(download!.totalBytes)
    hub.requests.length = 0
    const offline = await inspectModel(NAME, { ...source, offline: true })
    expect(offline.download).toEqual(download)
    expect(hub.requests).toEqual([])
  })
})

import type { Random } from '../../src/core/random.js'
import { parseSafetensorsHeader } from '../../src/formats/safetensors.js'
import { parseSafetensorsIndex } from '../../src/formats/safetensors-index.js'
import { parseLicense } from '../../src/hub/model-card.js'
import { modelNeeds } from '../../src/nvlm/model-needs.js'
import { buildInPlace, readCheckpoint } from '../../src/prepare/build-model.js'
import { encodeManifest, type Manifest, parseManifest } from '../../src/prepare/manifest.js'
import { openPrepared } from '../../src/prepare/prepared-model.js'
import { dtypePresets } from '../../src/prepare/stage-dtypes.js'
import { MemoryFile } from '../support/memory-file.js'
import { MemoryFiles, type StoredFile } from '../support/memory-files.js'
import { type CheckpointFolder, checkpointFolders, storedWith } from './checkpoint-folders.js'
import { below, mutateBytes, mutateJson, pick } from './mutate.js'
import { preparedFolders } from './prepared-folders.js'
import { type FuzzTarget, target } from './target.js'

const utf8 = new TextEncoder()

/** The JSON in a file with changed values, or with changed bytes. */
export function mutateJsonFile(bytes: Uint8Array, random: Random): Uint8Array {
  if (random.next() < 0.3) return mutateBytes(bytes, random)
  const json = mutateJson(JSON.parse(new TextDecoder().decode(bytes)), random)
  return utf8.encode(JSON.stringify(json) ?? '')
}

/** Header of a safetensors file with changed values and its length, or with changed bytes. */
function mutateHeader({ bytes, size = bytes.length }: StoredFile, random: Random): StoredFile {
  if (random.next() < 0.4) return { bytes: mutateBytes(bytes, random), size }
  const json = JSON.parse(new TextDecoder().decode(bytes.subarray(8)))
  const header = utf8.encode(JSON.stringify(mutateJson(json, random)) ?? '')
  const file = new Uint8Array(8 + header.length)
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true)
  file.set(header, 8)
  return { bytes: file, size: size + file.length - bytes.length }
}

const safetensors = target('safetensors headers', () => {
  const all = checkpointFolders().flatMap(({ files }) =>
    [...files].filter(([name]) => name.endsWith('.safetensors')).map(([, file]) => file),
  )
  return {
    mutate: random => {
      const { bytes, size = bytes.length } = mutateHeader(pick(random, all), random)
      const file = new MemoryFile('model.safetensors', bytes, Math.max(size, bytes.length))
      return () => parseSafetensorsHeader(file)
    },
  }
})

const index = target('safetensors indexes', () => {
  const name = 'model.safetensors.index.json'
  const original = checkpointFolders().flatMap(({ files }) => files.get(name)?.bytes ?? [])[0]!
  return {
    mutate: random => {
      const bytes = mutateJsonFile(original, random)
      return async () => parseSafetensorsIndex(bytes, name)
    },
  }
})

/** Graphs of all towers are built, not only read. */
const BUILD_MS = 250

/** What config.json decides, as far as it is known without weights: graphs, needs, layout. */
async function readModel(folder: CheckpointFolder, files: MemoryFiles): Promise<void> {
  const model = await readCheckpoint(files, folder.path, { readsWeights: false })
  modelNeeds(model, [dtypePresets.q4], { cacheBytesPerToken: 1, contextLength: 1, pictureBytes: 0 })
  await buildInPlace(files, model)
}

const settings = target(
  'config.json, all families',
  () => {
    const folders = checkpointFolders()
    return {
      mutate: random => {
        const folder = pick(random, folders)
        const names = ['config.json', 'preprocessor_config.json'].filter(name => folder.files.has(name))
        const name = pick(random, names)
        const bytes = mutateJsonFile(folder.files.get(name)!.bytes, random)
        const files = new MemoryFiles(storedWith(folder, name, { bytes }))
        return () => readModel(folder, files)
      },
    }
  },
  BUILD_MS,
)

const weights = target(
  'weights that do not fit config.json',
  () => {
    const folders = checkpointFolders().filter(({ files }) => files.has('model.safetensors'))
    return {
      mutate: random => {
        const folder = pick(random, folders)
        const changed = mutateHeader(folder.files.get('model.safetensors')!, random)
        const files = new MemoryFiles(storedWith(folder, 'model.safetensors', changed))
        return () => readModel(folder, files)
      },
    }
  },
  BUILD_MS,
)

/** Half of the mutants carry the hash of what they say, as a forger would give them. */
const manifest = target('manifests', async () => {
  const folders = await preparedFolders()
  return {
    mutate: random => {
      const folder = pick(random, folders)
      const original = folder.files.get('nvlm.json')!.bytes
      const isForged = random.next() < 0.5
      const plain = mutateJsonFile(original, random)
      const { manifestSha256: _, ...body } = JSON.parse(new TextDecoder().decode(original)) as Manifest
      const forgery = mutateJson(body, random) as Omit<Manifest, 'manifestSha256'>
      return async () => {
        const bytes = isForged ? await encodeManifest(forgery) : plain
        parseManifest(bytes, 'nvlm.json')
        await openPrepared(new MemoryFiles(storedWith(folder, 'nvlm.json', { bytes })), folder.path)
      }
    },
  }
})

const card = target('model cards', () => {
  const original = utf8.encode(
    '---\nlicense: cc-by-nc-4.0\nlicense_name: "x"\nlicense_link: LICENSE\ntags:\n  - a\n---\n# Model\n',
  )
  return {
    mutate: random => {
      let bytes = mutateBytes(original, random)
      for (let n = below(random, 12); n > 0 && bytes.length < 200_000; n--)
        bytes = Uint8Array.from([...bytes, ...bytes])
      const text = new TextDecoder().decode(bytes)
      return async () => parseLicense(text)
    },
  }
})

/** Readers of the files of a model folder, the tokenizer's left out. */
export const fileTargets: readonly FuzzTarget[] = [safetensors, index, settings, weights, manifest, card]

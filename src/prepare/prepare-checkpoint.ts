import { NVLMError } from '../core/errors.js'
import { baseName } from '../formats/file-name.js'
import { readLicense } from '../hub/model-card.js'
import type { Files, FolderPublisher, FolderWriter } from '../platform/platform.js'
import { BATCH_SLOTS } from './batch-slots.js'
import { type BuiltModel, buildInPlace, type CheckpointModel, readCheckpoint } from './build-model.js'
import type { SlabConverter } from './convert-slab.js'
import { graphNames, graphParts } from './graph-names.js'
import { encodeManifest, MANIFEST_NAME, type Manifest, manifestHeader, parseManifest } from './manifest.js'
import { type ModelPlan, planModel } from './plan-model.js'
import { type CheckedPrepareOptions, type PrepareOptions, parsePrepareOptions } from './prepare-options.js'
import { resumeKey } from './resume-key.js'
import { safetensorsHeaderHash } from './safetensors-header-hash.js'
import { sha256Hex } from './sha256.js'
import { dtypePresets } from './stage-dtypes.js'
import { bytesOfStep, writeWeights } from './write-weights.js'

/** Files that are copied into a prepared folder when the checkpoint has them. */
const COPIED = [
  'config.json',
  'preprocessor_config.json',
  'tokenizer.json',
  'tokenizer.model',
  'tokenizer_config.json',
  'vocab.json',
  'merges.txt',
  'added_tokens.json',
  'special_tokens_map.json',
  'generation_config.json',
]
const MAX_COPIED_BYTES = 64_000_000

/** What the machine brings, and bounds that tests make small. */
export interface PrepareMachine {
  /** Start threads that convert; default: the calling thread converts. */
  readonly startConverter?: ((numThreads: number | undefined) => SlabConverter) | undefined
  readonly maxFileBytes?: number | undefined
  readonly journalBytes?: number | undefined
}

/** What one preparation works with. */
interface Preparation {
  readonly files: Files
  readonly writer: FolderWriter
  readonly machine: PrepareMachine
  readonly options: CheckedPrepareOptions
}

/**
 * Turn a checkpoint folder into a prepared one: graphs, settings, tokenizer files and a manifest.
 *
 * In `fp32` weights are not copied: the graphs read them from the checkpoint, which must stay where it is relative to
 * the prepared folder. With any other dtype the folder has all its weights, in data files below 2 GB, and the
 * checkpoint is no longer needed. The folder appears whole or not at all; a conversion that was killed or aborted is
 * taken up again by the next with the same options.
 *
 * @throws {NVLMError} INVALID_OPTION, OUTPUT_EXISTS, OUTPUT_FAILED, MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED,
 * NUMERIC for weights that are not finite; the signal's reason on abort
 */
export async function prepareCheckpoint(
  files: Files,
  publisher: FolderPublisher,
  checkpointFolder: string,
  options: PrepareOptions,
  machine: PrepareMachine = {},
): Promise<Manifest> {
  const checked = parsePrepareOptions(options)
  const { out, onProgress, signal } = checked
  if ((await files.stat(files.join(checkpointFolder, MANIFEST_NAME))) !== undefined) {
    throw new NVLMError('INVALID_OPTION', `${checkpointFolder}: is a prepared folder already`, {
      hint: 'Name the folder of the original checkpoint.',
    })
  }
  let manifest: Manifest | undefined
  const fill = async (writer: FolderWriter) => {
    signal?.throwIfAborted()
    onProgress?.({ step: 'build', done: 0, total: 1 })
    const model = await readCheckpoint(files, checkpointFolder)
    const preparation = { files, writer, machine, options: checked }
    const { dtype } = checked
    const body = dtype
      ? await convertWeights(preparation, model, planModel(model, dtype, planOptions(preparation)))
      : await pointToWeights(preparation, await buildInPlace(files, model), model)
    signal?.throwIfAborted()
    const bytes = await encodeManifest(body)
    manifest = parseManifest(bytes, files.join(out, MANIFEST_NAME))
    await writer.write(MANIFEST_NAME, bytes)
    signal?.throwIfAborted()
  }
  await publisher.publish(out, fill, { signal })
  return manifest!
}

function planOptions({ options, machine }: Preparation) {
  const blockInput = options.activations === 'int8' ? 'int8' : 'float32'
  return { blockInput, maxFileBytes: machine.maxFileBytes } as const
}

type ManifestBody = Omit<Manifest, 'manifestSha256'>

/** Write what every prepared folder has. */
async function writeFolder(
  { files, writer, options }: Preparation,
  { folder, config }: CheckpointModel,
  { graphs, batchGraphs }: Pick<ModelPlan, 'graphs' | 'batchGraphs'>,
): Promise<Omit<ManifestBody, 'dtype' | 'data' | 'checkpoint' | 'embedding'>> {
  const write = async (name: string, bytes: Uint8Array) => {
    options.signal?.throwIfAborted()
    await writer.write(name, bytes)
    return { file: name, bytes: bytes.byteLength, sha256: await sha256Hex(Uint8Array.from(bytes)) }
  }
  const written: Partial<Manifest['graphs']> = {}
  for (const name of graphNames) {
    const graph = graphs[name]
    if (graph !== undefined) written[name] = await write(`${graphParts[name].fileName}.onnx`, graph)
  }
  const batches: NonNullable<Manifest['batchGraphs']> = []
  for (const slots of batchGraphs === undefined ? [] : BATCH_SLOTS) {
    batches.push({ slots, ...(await write(`decoder-${slots}.onnx`, await batchGraphs!(slots))) })
  }
  const copies: Manifest['copies'] = []
  for (const name of COPIED) {
    const path = files.join(folder, name)
    if ((await files.stat(path)) !== undefined)
      copies.push(await write(name, await files.read(path, MAX_COPIED_BYTES)))
  }
  const blocks = { rounding: options.rounding, activations: options.activations }
  const license = await readLicense(files, folder)
  return {
    ...{ ...manifestHeader, family: config.family },
    ...(license && { license }),
    ...(config.vision && { fusion: config.vision.fusion }),
    ...{ blocks, graphs: written as Manifest['graphs'], copies },
    ...(batchGraphs && { batchGraphs: batches }),
  }
}

/** A folder whose graphs read the checkpoint. */
async function pointToWeights(
  preparation: Preparation,
  built: BuiltModel,
  model: CheckpointModel,
): Promise<ManifestBody> {
  const { files, writer, options } = preparation
  await writer.resume('graphs only', 0)
  options.onProgress?.({ step: 'build', done: 1, total: 1 })
  const { dtype, vocabSize, hiddenSize, paths, pieces } = built.embedding
  return {
    ...(await writeFolder(preparation, model, built)),
    dtype: dtypePresets.fp32,
    data: [],
    checkpoint: {
      folder: files.relative(files.resolve(options.out), files.resolve(built.folder)),
      totalBytes: built.weightBytes,
      files: await describeWeightFiles(preparation, built, model),
    },
    embedding: {
      ...{ dtype, vocabSize, hiddenSize },
      pieces: pieces.map((piece, index) => ({ ...piece, file: baseName(paths[index]!) })),
    },
  }
}

async function describeWeightFiles(
  { files, options }: Preparation,
  { locations }: BuiltModel,
  { checkpoint }: CheckpointModel,
): Promise<NonNullable<Manifest['checkpoint']>['files']> {
  const { signal, hashWeights, onProgress } = options
  const described: NonNullable<Manifest['checkpoint']>['files'] = []
  for (const { path, name, size } of checkpoint.files) {
    signal?.throwIfAborted()
    const headerSha256 = await safetensorsHeaderHash(files, path)
    const whole = hashWeights ? { sha256: await files.sha256(path, { signal }) } : {}
    described.push({ name, location: locations.get(path)!, bytes: size, headerSha256, ...whole })
    onProgress?.({ step: 'write', done: described.length, total: checkpoint.files.length })
  }
  return described
}

/** A folder with weights of its own. */
async function convertWeights(
  preparation: Preparation,
  model: CheckpointModel,
  plan: ModelPlan,
): Promise<ManifestBody> {
  const { files, writer, machine, options } = preparation
  const { signal, onProgress, rounding, numThreads } = options
  const { steps, dataFiles, embedding } = plan
  const key = await resumeKey(files, model, plan, rounding)
  const finished = await writer.resume(
    key,
    dataFiles.reduce((sum, { bytes }) => sum + bytes, 0),
  )
  onProgress?.({ step: 'build', done: 1, total: 1 })
  const common = await writeFolder(preparation, model, plan)
  const total = steps.reduce((sum, step) => sum + bytesOfStep(step), 0)
  const converter = machine.startConverter?.(numThreads)
  try {
    const data = await writeWeights({
      ...{ files, writer, converter, rounding, steps, dataFiles, finished, signal },
      journalBytes: machine.journalBytes,
      onProgress: done => onProgress?.({ step: 'weights', done, total }),
    })
    const { dtype, vocabSize, hiddenSize, pieces } = embedding
    return {
      ...common,
      dtype: plan.dtypes,
      data: [...data],
      embedding: {
        ...{ dtype, vocabSize, hiddenSize },
        pieces: pieces.map((piece, index) => ({ ...piece, file: embedding.files[index]! })),
      },
    }
  } finally {
    await converter?.close()
  }
}

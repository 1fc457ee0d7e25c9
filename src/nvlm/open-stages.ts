import type { Backend, Device, Session } from '../backend/backend.js'
import { NVLMError } from '../core/errors.js'
import { crossNames } from '../decoder/cross-memory.js'
import { Decoder } from '../decoder/decoder.js'
import { EmbeddingTable } from '../decoder/embedding-table.js'
import { NEW_ROWS } from '../decoder/kv-cache.js'
import { modelIdOfPath } from '../hub/hub-name.js'
import { ImageTiler } from '../image/image-tiler.js'
import type { VisionConfig } from '../models/model-definition.js'
import type { Files, Platform, RandomAccessFile } from '../platform/platform.js'
import { slotsFor } from '../prepare/batch-slots.js'
import { type GraphName, graphNames, graphParts } from '../prepare/graph-names.js'
import type { RunnableModel } from '../prepare/runnable-model.js'
import { parseDtype } from '../prepare/stage-dtypes.js'
import { Projector } from '../projector/projector.js'
import { readTokenizerFiles } from '../tokenizer/read-tokenizer-files.js'
import { Tokenizer } from '../tokenizer/tokenizer.js'
import { VisionEncoder } from '../vision/vision-encoder.js'
import { PartSessions } from './part-sessions.js'
import { requireDtype } from './require-dtype.js'
import { chooseDevice, type LoadProgress, parseStageOptions, type StageOptions } from './stage-options.js'
import type { ModelInfo, PartName, Stages } from './stages.js'

/** Platform and default engine, from the entry file. */
export interface StageHost {
  readonly platform: Platform
  readonly backend: Backend
}

/** Stages in the order in which they are loaded. */
const PARTS: readonly PartName[] = ['vision', 'projector', 'decoder']

/** How many sequences of one model are in the making at once. */
export interface Sharing {
  readonly concurrency: number
  /** Resolves after the event loop went round once. */
  readonly nextTurn: () => Promise<void>
}

/** Opens a model folder of a kind that the host can run. */
export type OpenModel = (files: Files, folder: string) => Promise<RunnableModel>

/**
 * Load the five layers of a model.
 *
 * @param open - reads the folder; what it can read decides which folders load
 * @param sharing - default: one sequence at a time
 * @throws {NVLMError} INVALID_OPTION, MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED, BACKEND_UNAVAILABLE,
 * BACKEND_FAILED; the signal's reason on abort. Nothing stays loaded then.
 */
export async function openStages(
  host: StageHost,
  folder: string,
  open: OpenModel,
  options: StageOptions = {},
  sharing: Sharing = { concurrency: 1, nextTurn: async () => {} },
): Promise<Stages> {
  const { backend = host.backend, signal, onProgress, onWarning, ...settings } = parseStageOptions(options)
  const wanted = settings.device ?? 'auto'
  const device = chooseDevice(wanted, backend)
  const { files } = host.platform
  const report = (stage: LoadProgress['stage'], done: number) => {
    signal?.throwIfAborted()
    onProgress?.({ stage, done, total: PARTS.length + 2 })
  }
  report('open', 0)
  const model = await open(files, folder)
  if (settings.dtype !== undefined && settings.dtype !== 'auto') {
    requireDtype(model, parseDtype(settings.dtype))
  }
  const contextLength = checkedContextLength(settings.contextLength, model)
  report('tokenizer', 1)
  const tokenizer = Tokenizer.fromFiles(await readTokenizerFiles(files, folder), model.config.promptFormat, {
    vocabSize: model.config.decoder.vocabSize,
    ...model.config.tokenizer,
  })
  const sessions = new PartSessions(backend, {
    device,
    isBound: wanted !== 'auto',
    numThreads: settings.numThreads,
    onWarning,
  })
  try {
    for (const name of graphNames) {
      const { stage } = graphParts[name]
      if (name === stage) report(stage, PARTS.indexOf(stage) + 2)
      if (name === 'decoder') await loadDecoder(sessions, model, device, sharing)
      else await loadGraph(sessions, model, name)
    }
    const embeddings = await openEmbeddings(files, model)
    report('ready', PARTS.length + 2)
    const info = modelInfo(model, files.resolve(folder), sessions.devices, contextLength, settings.maxTiles)
    const { nextTurn } = sharing
    return new LoadedStages(model, info, { host, tokenizer, sessions: sessions.loaded, embeddings, nextTurn })
  } catch (error) {
    await sessions.dispose()
    throw error
  }
}

/** Load a graph if the model has it, but for the decoder. */
async function loadGraph(
  sessions: PartSessions,
  { graphs, dataFolder, config }: RunnableModel,
  name: GraphName,
): Promise<void> {
  const model = graphs[name]
  if (model === undefined) return
  // what only goes into the decoder may stay on its device, if that computes there
  const layers = name === 'crossKeys' ? config.decoder.crossAttention?.layers : undefined
  const residentOutputs = layers && sessions.loaded.decoder?.memory && crossNames(layers)
  await sessions.load(name, { model, dataFolder, name, residentOutputs })
}

/**
 * Load the decoder's graph for as many sequences as are wanted at once. On accelerators, where what that would gain has not
 * been measured, and with an engine that refuses the empty tensors of unused slots, it is the one for a single sequence.
 */
async function loadDecoder(
  sessions: PartSessions,
  { graphs, batchGraphs, dataFolder }: RunnableModel,
  device: Device,
  { concurrency }: Sharing,
): Promise<void> {
  const load = (model: Uint8Array) =>
    sessions.load('decoder', { model, dataFolder, name: 'decoder', residentOutputs: [NEW_ROWS] })
  const numSlots = device === 'cpu' ? slotsFor(concurrency) : 1
  if (numSlots > 1 && batchGraphs !== undefined) {
    await load(await batchGraphs(numSlots))
    if (!sessions.loaded.decoder?.refusesEmpty) return
    await sessions.loaded.decoder.dispose()
  }
  await load(graphs.decoder)
}

async function openEmbeddings(files: Files, { embedding }: RunnableModel): Promise<EmbeddingTable> {
  const opened = new Map<string, RandomAccessFile>()
  try {
    for (const path of embedding.paths) if (!opened.has(path)) opened.set(path, await files.open(path))
  } catch (error) {
    for (const file of opened.values()) await file.close()
    throw error
  }
  return new EmbeddingTable(
    embedding.paths.map(path => opened.get(path)!),
    embedding,
  )
}

function checkedContextLength(wanted: number | undefined, model: RunnableModel): number {
  const { maxPositionEmbeddings } = model.config.decoder
  if (wanted === undefined || wanted <= maxPositionEmbeddings) return wanted ?? maxPositionEmbeddings
  throw new NVLMError(
    'INVALID_OPTION',
    `contextLength: ${wanted}; the model was made for up to ${maxPositionEmbeddings} tokens`,
  )
}

function modelInfo(
  model: RunnableModel,
  path: string,
  device: ModelInfo['device'],
  contextLength: number,
  maxTiles: number | undefined,
): ModelInfo {
  const { vision, family } = model.config
  return {
    id: modelIdOfPath(path),
    family,
    fusion: vision?.fusion,
    contextLength,
    tile: vision && {
      size: vision.tiling.tileSize,
      tokens: vision.tokensPerTile,
      max: maxTiles ?? vision.tiling.maxTiles,
    },
    device,
    dtype: model.dtypes,
    bytes: model.weightBytes,
  }
}

/** What `LoadedStages` is made of. */
interface LoadedParts {
  readonly host: StageHost
  readonly tokenizer: Tokenizer
  readonly sessions: Partial<Record<GraphName, Session>>
  readonly embeddings: EmbeddingTable
  readonly nextTurn: Sharing['nextTurn']
}

class LoadedStages implements Stages {
  readonly tokenizer: Tokenizer
  readonly decoder: Decoder
  private readonly pictureStages: Pick<Stages, 'tiler' | 'visionEncoder' | 'projector'> | undefined

  constructor(
    model: RunnableModel,
    readonly info: ModelInfo,
    { host, tokenizer, sessions, embeddings, nextTurn }: LoadedParts,
  ) {
    const { vision, decoder } = model.config
    this.tokenizer = tokenizer
    const shape = { ...decoder, imageTokenId: vision && tokenizer.imageTokenId }
    const { crossKeys } = sessions
    this.decoder = new Decoder(sessions.decoder!, embeddings, shape, { crossKeys, nextTurn })
    this.pictureStages = vision && pictureStages(host, vision, sessions, info)
  }

  get tiler(): ImageTiler {
    return this.pictures.tiler
  }

  get visionEncoder(): VisionEncoder {
    return this.pictures.visionEncoder
  }

  get projector(): Projector {
    return this.pictures.projector
  }

  async dispose(): Promise<void> {
    await this.pictureStages?.visionEncoder.dispose()
    await this.pictureStages?.projector.dispose()
    await this.decoder.dispose()
  }

  private get pictures(): Pick<Stages, 'tiler' | 'visionEncoder' | 'projector'> {
    if (this.pictureStages !== undefined) return this.pictureStages
    throw new NVLMError('UNSUPPORTED', `model "${this.info.id}" takes text only`, {
      hint: 'Load an NVLM-D or InternVL checkpoint to ask about pictures.',
    })
  }
}

function pictureStages(
  host: StageHost,
  vision: VisionConfig,
  sessions: Partial<Record<GraphName, Session>>,
  info: ModelInfo,
): Pick<Stages, 'tiler' | 'visionEncoder' | 'projector'> {
  const { tower, projector, tiling } = vision
  return {
    tiler: new ImageTiler({ ...tiling, maxTiles: info.tile!.max }, host.platform.imageDecoder),
    visionEncoder: new VisionEncoder(sessions.vision!, {
      patchSize: tower.patchSize,
      hiddenSize: tower.hiddenSize,
      fixedTileSize: tower.interpolatesPositions ? undefined : tower.imageSize,
    }),
    projector: new Projector(sessions.projector!, projector),
  }
}

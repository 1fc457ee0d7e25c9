#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { CliApi, ServeOptions as CliServeOptions, RunningServer } from './cli/api.js'
import { runCli } from './cli/main.js'
import { streamOutput } from './cli/output.js'
import { parseTilerOptions } from './image/image-tiler-options.js'
import {
  type ChatOptions,
  downloadModel,
  ImageTiler,
  inspectModel,
  type PrepareOptions as LibraryPrepareOptions,
  type LoadOptions,
  type LoadProgress,
  modelCache,
  NVLM,
  prepareCheckpoint,
  verifyModel,
} from './node.js'
import { machineMemory } from './platform/node/machine-memory.js'
import { readPicture } from './platform/node/read-picture.js'
import { createImageFetcher, createImageFolder, serveModel } from './server-node.js'

/** The steps of a preparation, in words. */
const STEP_LABELS = {
  download: 'downloading',
  build: 'building graphs',
  weights: 'converting weights',
  write: 'checking weight files',
} as const

/** Loading in words. */
const LOAD_LABELS: Partial<Record<LoadProgress['stage'], string>> = {
  download: 'downloading',
  prepare: 'converting weights',
}

/** A library's logger that shows warnings. */
function warnTo(onNotice: (message: string) => void) {
  const nothing = () => {}
  return { debug: nothing, info: nothing, warn: onNotice, error: nothing }
}

const api: CliApi = {
  async load(model, { dtype, revision, signal, onNotice, onProgress }) {
    const nvlm = await NVLM.load(model, {
      // any word: the library checks it and says which ones there are
      dtype: dtype as LoadOptions['dtype'],
      ...{ revision, signal },
      logger: warnTo(onNotice),
      onProgress: ({ stage, ...progress }) => {
        onProgress({ label: LOAD_LABELS[stage] ?? 'loading the model', ...progress })
      },
    })
    return {
      id: nvlm.info.id,
      generate: question => nvlm.generate(question),
      chat: start => nvlm.chat(start as ChatOptions),
      dispose: () => nvlm.dispose(),
    }
  },
  prepare: (checkpoint, { onProgress, onNotice, rounding, activations, ...options }) =>
    prepareCheckpoint(checkpoint, {
      ...options,
      // any word: the library checks it and says which ones there are
      rounding: rounding as LibraryPrepareOptions['rounding'],
      activations: activations as LibraryPrepareOptions['activations'],
      onProgress: ({ step, ...progress }) => onProgress({ label: STEP_LABELS[step], ...progress }),
      logger: warnTo(onNotice),
    }),
  inspect: (model, options) => inspectModel(model, { ...options, memoryBytes: machineMemory() }),
  verify: (model, { signal, onProgress }) =>
    verifyModel(model, {
      signal,
      onProgress: ({ done, total }) => onProgress({ label: 'reading', done, total }),
    }),
  tile: (image, { tileSize, maxTiles, applyExif, signal }) =>
    new ImageTiler({ tileSize, maxTiles }).tile(image, { applyExif, signal }),
  openPicture: async (source, signal) => ({
    source,
    ...(await readPicture(source, parseTilerOptions({}).limits, signal)),
  }),
  pull: (model, { revision, signal, onNotice, onProgress }) =>
    downloadModel(model, {
      ...{ revision, signal },
      logger: warnTo(onNotice),
      onProgress: progress => onProgress({ label: 'downloading', ...progress }),
    }),
  serve: serveFolder,
  cache: {
    list: () => modelCache.list(),
    remove: (name, options) => modelCache.remove(name, options),
    verify: (name, { signal, onProgress }) => {
      return modelCache.verify(name, {
        signal,
        onProgress: progress => onProgress({ label: 'reading', ...progress }),
      })
    },
  },
  demo: {
    image: fileURLToPath(new URL('../examples/pictures/sign.png', import.meta.url)),
    question: 'What does the sign say?',
  },
}

async function serveFolder(
  model: string | undefined,
  { dtype, revision, signal, onNotice, onProgress, ...options }: CliServeOptions,
): Promise<RunningServer> {
  const { imageUrls, imageNetworks, imageFolder, modelName, ...rest } = options
  const { concurrency, contextLength, prefixCache, stallTimeoutMs, ...serveOptions } = rest
  const fetchImage = imageUrls ? createImageFetcher({ networks: imageNetworks }) : undefined
  const readImage = imageFolder === undefined ? undefined : await createImageFolder(imageFolder)
  const nvlm = await NVLM.load(model, {
    dtype: dtype as LoadOptions['dtype'],
    ...{ revision, signal, concurrency, contextLength, prefixCache, stallTimeoutMs },
    worker: 'process',
    logger: warnTo(onNotice),
    onProgress: ({ stage, ...progress }) => {
      onProgress({ label: LOAD_LABELS[stage] ?? 'loading the model', ...progress })
    },
  })
  try {
    const name = modelName ?? nvlm.info.id
    const front = await serveModel(nvlm, { ...serveOptions, modelName: name, fetchImage, readImage })
    const close = async () => {
      await front.close()
      await nvlm.dispose()
    }
    return { url: front.url, modelName: name, close }
  } catch (error) {
    await nvlm.dispose()
    throw error
  }
}

const interruption = new AbortController()
// once: a second Ctrl-C ends the process the hard way
process.once('SIGINT', () => interruption.abort())
process.once('SIGTERM', () => interruption.abort())
// whoever read the answer has gone (`nvlm ask … | head`)
process.stdout.on('error', () => interruption.abort())

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string
}
process.exitCode = await runCli(process.argv.slice(2), {
  api,
  version,
  out: streamOutput(process.stdout),
  err: streamOutput(process.stderr),
  // opened only by a command that reads it
  get stdin() {
    return process.stdin
  },
  env: process.env,
  signal: interruption.signal,
  isDebug: Boolean(process.env.NVLM_DEBUG),
})

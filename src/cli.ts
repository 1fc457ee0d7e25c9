#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { CliApi } from './cli/api.js'
import { runCli } from './cli/main.js'
import { streamOutput } from './cli/output.js'
import {
  ImageTiler,
  inspectModel,
  type PrepareOptions as LibraryPrepareOptions,
  type LoadOptions,
  NVLM,
  prepareCheckpoint,
  verifyModel,
} from './node.js'

/** The steps of a preparation, in words. */
const STEP_LABELS = {
  build: 'building graphs',
  weights: 'converting weights',
  write: 'checking weight files',
} as const

/** Memory of the machine, or of the container if that has less. */
function machineMemory(): number {
  const limit = process.constrainedMemory()
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem()
}

const api: CliApi = {
  async load(model, { dtype, signal, onProgress }) {
    const nvlm = await NVLM.load(model, {
      // any word: the library checks it and says which ones there are
      dtype: dtype as LoadOptions['dtype'],
      signal,
      onProgress: ({ done, total }) => onProgress({ label: 'loading the model', done, total }),
    })
    return { id: nvlm.info.id, generate: question => nvlm.generate(question), dispose: () => nvlm.dispose() }
  },
  prepare: (checkpoint, { onProgress, rounding, activations, ...options }) =>
    prepareCheckpoint(checkpoint, {
      ...options,
      // any word: the library checks it and says which ones there are
      rounding: rounding as LibraryPrepareOptions['rounding'],
      activations: activations as LibraryPrepareOptions['activations'],
      onProgress: ({ step, done, total }) => onProgress({ label: STEP_LABELS[step], done, total }),
    }),
  inspect: (model, { dtype, contextLength }) =>
    inspectModel(model, { dtype, contextLength, memoryBytes: machineMemory() }),
  verify: (model, { signal, onProgress }) =>
    verifyModel(model, {
      signal,
      onProgress: ({ done, total }) => onProgress({ label: 'reading', done, total }),
    }),
  tile: (image, { tileSize, maxTiles, applyExif, signal }) =>
    new ImageTiler({ tileSize, maxTiles }).tile(image, { applyExif, signal }),
  demo: {
    image: fileURLToPath(new URL('../examples/pictures/sign.png', import.meta.url)),
    question: 'What does the sign say?',
  },
}

const interruption = new AbortController()
// once: a second Ctrl-C ends the process the hard way
process.once('SIGINT', () => interruption.abort())
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
  signal: interruption.signal,
  isDebug: Boolean(process.env.NVLM_DEBUG),
})

#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { CliApi } from './cli/api.js'
import { runCli } from './cli/main.js'
import { streamOutput } from './cli/output.js'
import { ImageTiler, inspectModel, type LoadOptions, NVLM, prepareCheckpoint } from './node.js'

/** The steps of a preparation, in words. */
const STEP_LABELS = {
  read: 'reading the checkpoint',
  build: 'building graphs',
  write: 'checking weight files',
} as const

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
  prepare: (checkpoint, { out, signal, onProgress }) =>
    prepareCheckpoint(checkpoint, {
      out,
      signal,
      onProgress: ({ step, done, total }) => onProgress({ label: STEP_LABELS[step], done, total }),
    }),
  inspect: inspectModel,
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

// @ts-check
// Put what the page fetches into public/: the tiny model of the package, prepared, and the sample pictures.
//
//   node prepare-public.mjs
import { cpSync, existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defaultModelFolder, prepareCheckpoint } from 'nvlm-ts'

const there = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url))

cpSync(there('../pictures'), there('public/pictures'), { recursive: true })
const checkpoint = there('public/models/nvlm-tiny-checkpoint')
const out = there('public/models/nvlm-tiny')
if (!existsSync(out)) {
  // the graphs read the weights where they lie, so both folders are served
  cpSync(defaultModelFolder, checkpoint, { recursive: true })
  await prepareCheckpoint(checkpoint, { out, hashWeights: true })
}
console.log(`prepared ${out}`)

import { existsSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { prepareCheckpoint } from 'nvlm-ts'
import { type BenchOptions, note } from '../options.js'
import { modelPaths } from './model-paths.js'
import { shapes } from './shapes.js'
import { readTokenizer } from './tokenizer-files.js'
import { wordChain } from './word-chain.js'
import { writeInternVL, writeQwen2 } from './write-checkpoint.js'
import { writeDecoderGguf } from './write-gguf.js'
import { writeTransformersModel } from './write-transformers.js'

/** Make all files of a model that are not there yet, or those that `--only` names. */
export async function makeModel(options: BenchOptions): Promise<void> {
  const shape = shapes[options.shape]
  const paths = modelPaths(options.dataFolder, options.shape)
  await mkdir(paths.folder, { recursive: true })
  const { tokenizer } = await readTokenizer()
  const chain = wordChain(tokenizer.model.vocab)
  const steps: readonly Step[] = [
    { name: 'checkpoint', path: paths.checkpoint, make: path => writeInternVL(path, shape, chain) },
    { name: 'nvlm', path: paths.nvlm, make: path => prepare(paths.checkpoint, path), isAtomic: true },
    { name: 'checkpoint', path: paths.decoderCheckpoint, make: path => writeQwen2(path, shape, chain) },
    {
      name: 'nvlm',
      path: paths.nvlmDecoder,
      make: path => prepare(paths.decoderCheckpoint, path),
      isAtomic: true,
    },
    { name: 'gguf', path: paths.gguf, make: path => writeDecoderGguf(path, shape, chain) },
    {
      name: 'transformers',
      path: paths.transformers,
      make: path => writeTransformersModel(path, shape, chain),
    },
  ]
  for (const step of steps) {
    if (options.only === undefined || options.only.includes(step.name)) await take(step)
  }
}

/** One thing to make. */
interface Step {
  readonly name: string
  readonly path: string
  make(path: string): Promise<unknown>
  /** Does `make` itself see to it that the path is there whole or not at all? */
  readonly isAtomic?: boolean
}

async function take({ path, make, isAtomic = false }: Step): Promise<void> {
  if (existsSync(path)) return note(`${path}: is there`)
  const started = performance.now()
  const draft = isAtomic ? path : `${path}.draft`
  if (!isAtomic) await rm(draft, { recursive: true, force: true })
  await make(draft)
  if (!isAtomic) await rename(draft, path)
  note(`${path}: made in ${((performance.now() - started) / 1000).toFixed(1)} s`)
}

function prepare(checkpoint: string, out: string): Promise<unknown> {
  return prepareCheckpoint(checkpoint, { out, dtype: 'q4' })
}

import { parseArgs } from 'node:util'
import { defaultDataFolder } from './model/model-paths.js'
import { isShapeName, type ShapeName, shapes } from './model/shapes.js'

/** What all commands of the benchmark take. */
export interface BenchOptions {
  readonly shape: ShapeName
  readonly dataFolder: string
  readonly isQuick: boolean
  readonly only: readonly string[] | undefined
  readonly out: string | undefined
}

/** Read the command line; exits with a sentence when it makes no sense. */
export function parseOptions(argv: readonly string[]): BenchOptions {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...argv],
    options: { shape: text, data: text, only: text, out: text, quick: { type: 'boolean' } },
  })
  const shape = values.shape ?? 'internvl3-1b'
  if (!isShapeName(shape)) throw new Error(`--shape ${shape}; expected ${Object.keys(shapes).join(' or ')}`)
  return {
    shape,
    dataFolder: values.data ?? defaultDataFolder,
    isQuick: values.quick ?? false,
    only: values.only?.split(','),
    out: values.out,
  }
}

/** Write a line about what is going on. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`)
}

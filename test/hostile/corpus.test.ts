import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { extname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildForNode } from '../nvlm/build-for-node.js'
import { TileProcess } from './tile-process.js'

const data = fileURLToPath(new URL('../../node_modules/.cache/nvlm-corpora', import.meta.url))

/** What became of each picture; `NVLM_PIN_CORPUS=1 npm run test:corpus` writes it anew. */
const pinned = fileURLToPath(new URL('corpus-outcomes.txt', import.meta.url))

const EXTENSIONS = new Set(
  [
    ...['png', 'jpg', 'jpeg', 'gif', 'bmp', 'dib', 'webp', 'tif', 'tiff', 'ico', 'cur', 'psd', 'jp2', 'j2k'],
    ...['j2c', 'svg', 'pdf', 'avif', 'dds', 'tga', 'fli', 'flc', 'sgi', 'rgb', 'bw', 'pbm', 'pgm', 'ppm'],
    ...['pnm', 'pfm', 'pcx', 'eps', 'v', 'hdr', 'exr', 'fits', 'mpo', 'blp', 'icns', 'im', 'xbm', 'xpm'],
    ...['wmf', 'emf', 'msp', 'ras', 'mic', 'gbr', 'pxr', 'iptc', 'ftu', 'ftc', 'rgba', 'tga', 'qoi'],
  ].map(extension => `.${extension}`),
)
/** Folders in which every file is meant to be a picture. */
const FOLDERS = ['pillow/Tests/images', 'vips/test/test-suite/images', 'vips/fuzz/common_fuzzer_corpus']

const MAX_MS = 1000
const MAX_EXTRA_BYTES = 300e6
let built: string
let tiles: TileProcess

beforeAll(async () => {
  built = await buildForNode({ tile: 'test/hostile/tile-child.ts' })
  tiles = new TileProcess(join(built, 'tile.mjs'))
})
afterAll(async () => {
  tiles.stop()
  await rm(built, { recursive: true })
})

function pictures(): readonly string[] {
  const entries = readdirSync(data, { recursive: true, withFileTypes: true })
  const all = entries
    .filter(entry => entry.isFile())
    .map(({ parentPath, name }) => relative(data, join(parentPath, name)))
  const isPicture = (path: string) =>
    EXTENSIONS.has(extname(path).toLowerCase()) || FOLDERS.some(folder => path.startsWith(`${folder}/`))
  return all.filter(isPicture).sort()
}

test('hostile pictures of the libraries give tiles or a typed error, none crashes, hangs or takes much', async () => {
  const outcomes: string[] = []
  const slow: string[] = []
  const broken: string[] = []
  for (const path of pictures()) {
    const job = { paths: [join(data, path)], times: 1 }
    let result = await tiles.tile(job, 20_000)
    // what else the machine does must not count: a slow one has a second chance
    if (typeof result !== 'string' && result.milliseconds > MAX_MS) result = await tiles.tile(job, 20_000)
    if (typeof result === 'string') broken.push(`${path}: ${result}`)
    else {
      const [outcome] = result.outcomes
      if (outcome!.startsWith('untyped')) broken.push(`${path}: ${outcome}`)
      if (result.milliseconds > MAX_MS) slow.push(`${path}: ${Math.round(result.milliseconds)} ms`)
      outcomes.push(`${outcome} ${path}`)
    }
  }
  const numTiled = outcomes.filter(line => /^\d/.test(line)).length
  process.stdout.write(
    `${outcomes.length} pictures: ${numTiled} tiled, ${outcomes.length - numTiled} refused; ` +
      `extra memory ${Math.round(tiles.extraBytes / 1e6)} MB\n`,
  )
  const text = `${outcomes.join('\n')}\n`
  if (process.env.NVLM_PIN_CORPUS) writeFileSync(pinned, text)
  expect({ broken, slow }).toEqual({ broken: [], slow: [] })
  expect(text).toBe(readFileSync(pinned, 'utf8'))
  expect(tiles.extraBytes).toBeLessThan(MAX_EXTRA_BYTES)
})

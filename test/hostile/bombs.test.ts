import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp, { type Sharp } from 'sharp'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildForNode } from '../nvlm/build-for-node.js'
import { pictureBombs } from '../support/picture-bombs.js'
import { TileProcess } from './tile-process.js'

const NUM_PARALLEL = 20
const MAX_EXTRA_BYTES = 300e6
const folder = mkdtempSync(join(tmpdir(), 'nvlm-bombs-'))
let built: string

beforeAll(async () => {
  built = await buildForNode({ tile: 'test/hostile/tile-child.ts' })
})
afterAll(() => {
  rmSync(folder, { recursive: true })
  rmSync(built, { recursive: true })
})

/** Pictures just within the default limits: as large as their kind may be. */
const LARGEST: Readonly<Record<string, readonly [side: number, encode: (image: Sharp) => Sharp]>> = {
  'plain.png': [8000, image => image.png()],
  'plain.jpg': [8000, image => image.jpeg({ chromaSubsampling: '4:4:4' })],
  'interlaced.png': [5300, image => image.png({ progressive: true })],
  'progressive.jpg': [4700, image => image.jpeg({ progressive: true, chromaSubsampling: '4:4:4' })],
  'turned.jpg': [8000, image => image.jpeg().withMetadata({ orientation: 6 })],
  'lossy.webp': [4470, image => image.webp({ effort: 0 })],
}

async function tileAll(paths: readonly string[], timeoutMs: number) {
  const tiles = new TileProcess(join(built, 'tile.mjs'))
  try {
    const report = await tiles.tile({ paths, times: NUM_PARALLEL }, timeoutMs)
    if (typeof report === 'string') return expect.fail(report)
    const { outcomes, milliseconds, extraBytes } = report
    process.stdout.write(
      `${outcomes.length} at once: ${(milliseconds / 1000).toFixed(1)} s, ${Math.round(extraBytes / 1e6)} MB extra\n`,
    )
    return { outcomes: new Set(outcomes), extraBytes }
  } finally {
    tiles.stop()
  }
}

test('twelve bombs beyond the limits, twenty of each at once', async () => {
  const paths = (await pictureBombs()).map(({ name, bytes }) => {
    const path = join(folder, name)
    writeFileSync(path, bytes)
    return path
  })
  const { outcomes, extraBytes } = await tileAll(paths, 60_000)
  expect([...outcomes]).toEqual(['IMAGE_TOO_LARGE'])
  expect(extraBytes).toBeLessThan(MAX_EXTRA_BYTES)
})

test('the largest pictures within the limits, twenty of each at once, each by a tiler of its own', async () => {
  const paths: string[] = []
  for (const [name, [side, encode]] of Object.entries(LARGEST)) {
    const path = join(folder, name)
    const image = sharp({ create: { width: side, height: side, channels: 3, background: '#204060' } })
    await encode(image).toFile(path)
    paths.push(path)
  }
  const { outcomes, extraBytes } = await tileAll(paths, 1_000_000)
  expect([...outcomes]).toEqual(['2x2'])
  expect(extraBytes).toBeLessThan(MAX_EXTRA_BYTES)
})

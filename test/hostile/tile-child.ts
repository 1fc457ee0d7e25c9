import { readFileSync } from 'node:fs'
import { NVLMError } from '../../src/core/errors.js'
import { ImageTiler } from '../../src/image/image-tiler.js'
import { nodeImageDecoder } from '../../src/platform/node/image-decoder.js'

/** Pictures to tile at the same time, each so often. */
export interface TileJob {
  readonly paths: readonly string[]
  readonly times: number
}

/** What became of each, and the memory of the process so far. */
export interface TileReport {
  /** Width and height of the grid, or the code of the error; `untyped: …` for an error that is no NVLMError. */
  readonly outcomes: readonly string[]
  readonly milliseconds: number
  /** Largest resident memory above what was taken before the first job, in bytes. */
  readonly extraBytes: number
}

/** A process that tiles the pictures it is told: what crashes or hangs is seen from outside. */
const tiler = new ImageTiler({}, nodeImageDecoder)
await tiler.tile({ width: 640, height: 480, channels: 3, data: new Uint8Array(640 * 480 * 3) })
await tiler.tile(new URL('data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'))
const bytesAtStart = process.memoryUsage().rss

/** Each by a tiler of its own, whose own limit of pictures at a time does not count then. */
async function outcomeOf(path: string): Promise<string> {
  try {
    const { columns, rows } = await new ImageTiler({}, nodeImageDecoder).tile(path)
    return `${columns}x${rows}`
  } catch (error) {
    return NVLMError.isInstance(error) ? error.code : `untyped: ${error}`
  }
}

process.on('message', async ({ paths, times }: TileJob) => {
  const started = performance.now()
  const all = paths.flatMap(path => Array.from({ length: times }, () => path))
  const outcomes = await Promise.all(all.map(outcomeOf))
  const milliseconds = performance.now() - started
  const peak = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  const extraBytes = Number(peak) * 1024 - bytesAtStart
  process.send?.({ outcomes, milliseconds, extraBytes } satisfies TileReport)
})
process.send?.({ ready: true })

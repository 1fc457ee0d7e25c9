import { NVLMError } from '../core/errors.js'
import type { PromptRequest, TileOptions } from '../nvlm/engine-client.js'
import { collectImages } from '../nvlm/prompt-input.js'
import type { RemoteDialect } from './remote-options.js'

/** How a server is told to cut pictures. */
export interface WireTiles {
  /** InternVL's names, for all pictures of the request. */
  readonly mm_processor_kwargs?: Readonly<Record<string, number>>
  /** OpenAI's `detail` of each picture. */
  readonly details: readonly ('low' | undefined)[]
}

/**
 * Say in a server's words how pictures are cut.
 *
 * @throws {NVLMError} UNSUPPORTED for what the server has no words for
 */
export function wireTiles(request: PromptRequest, dialect: RemoteDialect): WireTiles {
  const all = collectImages(request).map(({ tiles }) => given(tiles))
  const details = all.map(tiles => (isOneTile(tiles) ? ('low' as const) : undefined))
  if (all.some(({ useThumbnail }) => useThumbnail !== undefined)) {
    throw unsupported('"tiles.useThumbnail"', "The thumbnail is as the model's config.json says.")
  }
  if (dialect === 'openai') {
    if (all.every(tiles => isOneTile(tiles) || Object.keys(tiles).length === 0)) return { details }
    throw unsupported('"tiles"', "OpenAI's protocol knows one tile (maxTiles: 1) or the model's own choice.")
  }
  const [first = {}] = all
  if (all.some(tiles => tiles.maxTiles !== first.maxTiles || tiles.minTiles !== first.minTiles)) {
    throw unsupported('"tiles" that differ from picture to picture', 'Cut all pictures of a request alike.')
  }
  const { maxTiles, minTiles } = first
  if (maxTiles === undefined && minTiles === undefined) return { details }
  return {
    details,
    mm_processor_kwargs: {
      ...(maxTiles !== undefined && { max_dynamic_patch: maxTiles }),
      ...(minTiles !== undefined && { min_dynamic_patch: minTiles }),
    },
  }
}

function given(tiles: TileOptions = {}): TileOptions {
  return Object.fromEntries(Object.entries(tiles).filter(([, value]) => value !== undefined))
}

function isOneTile({ maxTiles }: TileOptions): boolean {
  return maxTiles === 1
}

function unsupported(what: string, hint: string): NVLMError {
  return new NVLMError('UNSUPPORTED', `${what} can't be asked of this server`, { hint })
}

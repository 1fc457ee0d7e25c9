import { NVLMError } from '../core/errors.js'
import type { FloatTensor } from '../core/tensor.js'
import type { Tiles } from '../image/tiles.js'
import type { OpenedImage, PreparedImageLike } from '../platform/image-input.js'
import { sha256Hex } from '../prepare/sha256.js'
import { ByteLru } from './byte-lru.js'
import type { TileOptions } from './engine-client.js'
import type { EngineStages } from './engine-stages.js'

/** How one picture is to be read. */
export interface PictureOptions extends TileOptions {
  readonly applyExif?: boolean | undefined
}

/** A picture of a prompt. */
export interface Picture {
  /** Pictures of equal keys have equal embeddings: made of the content's hash and the options. */
  readonly key: string
  /** SHA-256 of the file's bytes, or of the raw pixels with their size. */
  readonly hash: string
  readonly numTiles: number
  /** Its embeddings, if they were known, else the tiles to make them of. */
  readonly content: { readonly embeds: FloatTensor } | { readonly tiles: Tiles }
}

/** Is this a picture that some model has prepared? */
export function isPrepared(image: unknown): image is PreparedImageLike {
  return typeof image === 'object' && image !== null && Reflect.get(image, 'kind') === 'prepared-image'
}

/** Reads the pictures of requests, and keeps the embeddings of those it has seen. */
export class Pictures {
  private readonly embeds: ByteLru<FloatTensor>
  private readonly prepared = new Map<string, Picture>()

  /** @param maxBytes - budget of the embeddings that are kept; 0 keeps none */
  constructor(
    private readonly stages: EngineStages,
    maxBytes: number,
  ) {
    this.embeds = new ByteLru(maxBytes)
  }

  /**
   * Read a picture and cut it into tiles, unless its embeddings are known.
   *
   * @throws {NVLMError} IMAGE_*, UNSUPPORTED for a model that takes text only
   */
  async open(image: unknown, options: PictureOptions, signal: AbortSignal): Promise<Picture> {
    const { tile, id } = this.stages.info
    if (tile === undefined) {
      throw new NVLMError('UNSUPPORTED', `${id} takes text only, not pictures`, {
        hint: 'Leave the images out, or load an NVLM-D or InternVL model.',
      })
    }
    if (isPrepared(image)) return this.findPrepared(image.id)
    const opened = await this.stages.tiler.open(image as never, { signal })
    const hash = await contentHash(opened)
    const given = withoutUndefined(options)
    const key = `${hash} ${JSON.stringify(Object.entries(given).sort())}`
    const known = this.embeds.get(key)
    if (known !== undefined)
      return { key, hash, numTiles: known.dims[0]! / tile.tokens, content: { embeds: known } }
    const tiles = await this.stages.tiler.tile(opened as never, { ...given, signal })
    return { key, hash, numTiles: tiles.numTiles, content: { tiles } }
  }

  /** Are the embeddings there, so that `encode` has nothing to compute? */
  isEncoded({ key, content }: Picture): boolean {
    return 'embeds' in content || this.embeds.get(key) !== undefined
  }

  /** The image embeddings, float32 [numTiles * tokens a tile, hiddenSize]. */
  async encode(picture: Picture, signal: AbortSignal): Promise<FloatTensor> {
    const { content, key } = picture
    if ('embeds' in content) return content.embeds
    const known = this.embeds.get(key)
    if (known !== undefined) return known
    const { visionEncoder, projector } = this.stages
    const { pixelValues } = content.tiles
    const embeds = await projector.project(await visionEncoder.encode(pixelValues, { signal }))
    this.embeds.set(key, embeds, embeds.data.byteLength)
    return embeds
  }

  /**
   * Keep the embeddings of a picture, whatever the cache holds, until `release`.
   *
   * @returns the name that `open` knows it by
   */
  async prepare(picture: Picture, signal: AbortSignal): Promise<string> {
    const embeds = await this.encode(picture, signal)
    const id = globalThis.crypto.randomUUID()
    this.prepared.set(id, { ...picture, content: { embeds } })
    return id
  }

  release(id: string): void {
    this.prepared.delete(id)
  }

  dispose(): void {
    this.embeds.clear()
    this.prepared.clear()
  }

  private findPrepared(id: string): Picture {
    const picture = this.prepared.get(id)
    if (picture !== undefined) return picture
    throw new NVLMError('IMAGE_INPUT', 'the prepared image is disposed, or another model has prepared it', {
      hint: 'Dispose it when its last generation has ended, and give it to the model that made it.',
    })
  }
}

async function contentHash(opened: OpenedImage): Promise<string> {
  if (opened.kind === 'encoded') return sha256Hex(toPlainBytes(opened.bytes))
  const { width, height, channels, data } = opened.pixels
  const head = new TextEncoder().encode(`pixels ${width} ${height} ${channels ?? ''} `)
  const bytes = new Uint8Array(head.length + data.length)
  bytes.set(head)
  bytes.set(data, head.length)
  return sha256Hex(bytes)
}

/** Web Crypto refuses shared memory. */
function toPlainBytes(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes.buffer instanceof ArrayBuffer ? (bytes as Uint8Array<ArrayBuffer>) : new Uint8Array(bytes)
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}

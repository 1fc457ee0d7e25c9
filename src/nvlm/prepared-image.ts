import type { PreparedImageLike } from '../platform/image-input.js'
import type { PreparedInfo } from './engine-client.js'

/**
 * A picture whose embeddings a model holds: usable wherever a picture is, at no cost but its tokens.
 *
 * It belongs to the model that made it. Dispose it when no generation uses it any more; disposing the model does too.
 */
export class PreparedImage implements PreparedImageLike, Disposable {
  readonly kind = 'prepared-image'
  readonly id: string
  /** Number of tiles, thumbnail included. */
  readonly tiles: number
  /** Tokens that it takes in a prompt. */
  readonly tokens: number
  /** SHA-256 of the file's bytes, or of the raw pixels with their size; hexadecimal. */
  readonly hash: string
  #release: () => void

  /** @param release - gives the embeddings back */
  constructor({ id, tiles, tokens, hash }: PreparedInfo, release: () => void) {
    this.id = id
    this.tiles = tiles
    this.tokens = tokens
    this.hash = hash
    this.#release = release
  }

  /** Give the memory back. A second call does nothing. */
  dispose(): void {
    this.#release()
    this.#release = () => {}
  }

  [Symbol.dispose](): void {
    this.dispose()
  }
}

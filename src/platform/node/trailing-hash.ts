import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { invariant } from '../../core/errors.js'
import { cutWhileRead } from './fail-reading.js'

const PIECE_BYTES = 1 << 20

/** Hashes a file from its beginning while what comes later is still being written. */
export class TrailingHash {
  private readonly hash = createHash('sha256')
  private hashed = 0
  private end = 0
  private running: Promise<void> | undefined
  private isStopped = false
  private failure: unknown

  constructor(
    private readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  /** What lies before `end` will not change any more. */
  advance(end: number): void {
    this.end = Math.max(this.end, end)
    this.running ??= this.run()
      .catch(error => {
        this.failure = error
        this.isStopped = true
      })
      .finally(() => {
        this.running = undefined
      })
  }

  /**
   * SHA-256 of the first `length` bytes, in lower-case hexadecimal.
   *
   * @throws {NVLMError} MODEL_INVALID if the file is shorter; what reading throws
   */
  async finish(length: number): Promise<string> {
    while (this.hashed < length && !this.isStopped) {
      this.advance(length)
      await this.running
    }
    if (this.failure !== undefined) throw this.failure
    invariant(this.hashed === length, `${this.path} is hashed to its end`)
    return this.hash.digest('hex')
  }

  /** Read no more; settles when the handle is not used any more. */
  async stop(): Promise<void> {
    this.isStopped = true
    await this.running
  }

  private async run(): Promise<void> {
    const piece = new Uint8Array(PIECE_BYTES)
    while (this.hashed < this.end && !this.isStopped) {
      const wanted = Math.min(PIECE_BYTES, this.end - this.hashed)
      const { bytesRead } = await this.handle.read(piece, 0, wanted, this.hashed)
      if (bytesRead === 0) throw cutWhileRead(this.path, this.hashed)
      this.hash.update(piece.subarray(0, bytesRead))
      this.hashed += bytesRead
    }
  }
}

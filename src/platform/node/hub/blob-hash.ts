import { createHash, type Hash } from 'node:crypto'
import type { BlobAlgorithm } from '../../blob-store.js'

/**
 * A hash that gives the hub's name for a file of `size` bytes.
 *
 * @see git `Documentation/gitformat-pack.txt`: a blob's id is the SHA-1 of `blob <size>`, a zero byte and the content
 */
export function createBlobHash(algorithm: BlobAlgorithm, size: number): Hash {
  if (algorithm === 'sha256') return createHash('sha256')
  return createHash('sha1').update(`blob ${size}\0`)
}

import type { Files } from '../platform/platform.js'
import { sha256Hex } from './sha256.js'

/**
 * Hash of the header of a safetensors file that was checked before: a changed name, type, shape or place shows, and
 * gigabytes of weights need not be read.
 */
export async function safetensorsHeaderHash(files: Files, path: string): Promise<string> {
  const file = await files.open(path)
  try {
    const prefix = await file.read(0, 8)
    const length = Number(new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true))
    return await sha256Hex(Uint8Array.from(await file.read(0, 8 + length)))
  } finally {
    await file.close()
  }
}

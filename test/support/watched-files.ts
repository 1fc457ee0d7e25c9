import { nodeFiles } from '../../src/platform/node/files.js'
import type { Files, RandomAccessFile } from '../../src/platform/platform.js'

/** Node's files, counting what is open and what is read through `open`. */
export interface WatchedFiles extends Files {
  readonly counts: { numOpen: number; maxOpen: number; numBytesRead: number }
}

/** Node's files under watch, all counts at zero. */
export function watchedFiles(): WatchedFiles {
  const counts = { numOpen: 0, maxOpen: 0, numBytesRead: 0 }
  const open = async (path: string): Promise<RandomAccessFile> => {
    const file = await nodeFiles.open(path)
    counts.maxOpen = Math.max(counts.maxOpen, ++counts.numOpen)
    return {
      path: file.path,
      size: file.size,
      read: (offset, length) => {
        counts.numBytesRead += length
        return file.read(offset, length)
      },
      close: () => {
        counts.numOpen--
        return file.close()
      },
    }
  }
  return { ...nodeFiles, open, counts }
}

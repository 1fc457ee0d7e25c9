import type { Platform } from '../platform.js'
import { nodeFiles } from './files.js'
import { nodeFolderPublisher } from './folder-publisher.js'
import { nodeImageDecoder } from './image-decoder.js'

/** Node: files through `node:fs`, pictures through sharp. */
export const nodePlatform: Platform = {
  files: nodeFiles,
  publisher: nodeFolderPublisher,
  imageDecoder: nodeImageDecoder,
}

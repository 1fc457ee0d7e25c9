import type { Platform } from '../platform.js'
import { nodeDiagnostics } from './diagnostics.js'
import { nodeFiles } from './files.js'
import { nodeFolderPublisher } from './folder-publisher.js'
import { nodeImageDecoder } from './image-decoder.js'

/** Node: files through `node:fs`, pictures through sharp, messages through `node:diagnostics_channel`. */
export const nodePlatform: Platform = {
  files: nodeFiles,
  publisher: nodeFolderPublisher,
  imageDecoder: nodeImageDecoder,
  diagnostics: nodeDiagnostics,
}

import { NVLMError } from '../../core/errors.js'
import type { Files, FolderPublisher, Platform } from '../platform.js'
import { webDiagnostics } from './diagnostics.js'
import { webImageDecoder } from './image-decoder.js'

/** Nobody writes folders in a browser. */
const webPublisher: FolderPublisher = {
  async publish(path) {
    throw new NVLMError('UNSUPPORTED', `${path}: a browser can't write model folders`, {
      hint: 'Prepare models in Node: nvlm prepare.',
    })
  },
}

/** A browser: files that were fetched before, pictures decoded by the browser. */
export function webPlatform(files: Files): Platform {
  return { files, publisher: webPublisher, imageDecoder: webImageDecoder, diagnostics: webDiagnostics }
}

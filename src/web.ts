import { ImageTiler as AnyImageTiler } from './image/image-tiler.js'
import type { ImageTilerOptions } from './image/image-tiler-options.js'
import { loadModel } from './nvlm/load-model.js'
import type { LoadOptions } from './nvlm/load-options.js'
import { NVLM as AnyNVLM } from './nvlm/nvlm.js'
import type { StageOptions } from './nvlm/stage-options.js'
import type { Stages } from './nvlm/stages.js'
import { splitWebOptions, type WebSettings } from './nvlm/web/web-options.js'
import { webEngineRuntime } from './nvlm/worker/web-host.js'
import type { Browser } from './platform/web/browser.js'
import { webDiagnostics } from './platform/web/diagnostics.js'
import { webImageDecoder } from './platform/web/image-decoder.js'
import { folderUrl } from './platform/web/url-paths.js'
import type { RemoteLoadOptions } from './remote/remote-options.js'
import { Tokenizer as AnyTokenizer } from './tokenizer/tokenizer.js'

export * from './index.js'
export { type CachedModel, modelCache } from './nvlm/web/model-cache.js'
export type { WebSettings } from './nvlm/web/web-options.js'

/** Bundlers find workers by this spelling, so it names the global. */
declare const Worker: Browser['Worker']

/** Options of `NVLM.load` in a browser. */
export interface WebLoadOptions extends LoadOptions, WebSettings {}

/** Options of `loadStages` in a browser. */
export interface WebStageOptions extends StageOptions, WebSettings {}

/** A loaded vision-language model: pictures and text in, text out. */
export class NVLM extends AnyNVLM {
  /**
   * Load a model.
   *
   * @param url - of a folder made by `nvlm prepare`, absolute or relative to the page
   * @throws {NVLMError} INVALID_OPTION, MODEL_NOT_FOUND, MODEL_INVALID, MODEL_UNSUPPORTED, DOWNLOAD_FAILED, UNAUTHORIZED,
   * INTEGRITY, CACHE, BACKEND_UNAVAILABLE, BACKEND_FAILED, DEVICE_LOST, ENGINE_FAILED; the signal's reason on abort
   */
  static async load(url: string | URL, options?: WebLoadOptions): Promise<NVLM>
  /**
   * Get in touch with a model on a server that speaks OpenAI's protocol: vLLM, or `nvlm serve`. It must allow the page's
   * origin, and a key in a page is everybody's.
   *
   * @throws {NVLMError} INVALID_OPTION, REMOTE_FAILED, UNAUTHORIZED, MODEL_NOT_FOUND; the signal's reason on abort
   */
  static async load(options: RemoteLoadOptions): Promise<NVLM>
  static async load(url: string | URL | RemoteLoadOptions, options: WebLoadOptions = {}): Promise<NVLM> {
    if (typeof url === 'object' && 'remote' in url) {
      // most pages have their model with them
      const { loadRemote } = await import('./remote/load-remote.js')
      const loaded = await loadRemote(url, {
        diagnostics: webDiagnostics,
        decoder: webImageDecoder,
        passesUrls: false,
      })
      return new NVLM(loaded.client, loaded.surroundings)
    }
    const { web, rest } = splitWebOptions(options)
    const { client, surroundings } = await loadModel(String(url), rest, webEngineRuntime(createWorker, web), {
      diagnostics: webDiagnostics,
      files: { resolve: folderUrl },
    })
    return new NVLM(client, surroundings)
  }
}

function createWorker() {
  return new Worker(new URL('./engine-worker-web.js', import.meta.url), {
    type: 'module',
    name: 'nvlm-engine',
  })
}

/**
 * Load the five layers of a model, to use them one by one. They run in the calling thread: in a page that is the one
 * that draws, so call this from a worker of your own.
 *
 * @param url - as for `NVLM.load`
 * @throws {NVLMError} as `NVLM.load`
 */
export async function loadStages(url: string | URL, options: WebStageOptions = {}): Promise<Stages> {
  const { web, rest } = splitWebOptions(options)
  const { loadWebStages } = await import('./nvlm/web/load-web-stages.js')
  return loadWebStages(String(url), rest, web)
}

/** Text ↔ token ids, and conversations → prompts, exactly as the official code does. */
export class Tokenizer extends AnyTokenizer {
  /**
   * Open the tokenizer of a prepared folder. Of its files only those of the tokenizer are fetched.
   *
   * @throws {NVLMError} as `NVLM.load`
   */
  static async load(url: string | URL, options: WebSettings = {}): Promise<AnyTokenizer> {
    const { openWebTokenizer } = await import('./nvlm/web/open-web-tokenizer.js')
    return openWebTokenizer(String(url), splitWebOptions(options).web)
  }
}

/** Any picture → tiles, pixel for pixel as the official code cuts them. Pictures are decoded by the browser. */
export class ImageTiler extends AnyImageTiler {
  /** @throws {NVLMError} INVALID_OPTION */
  constructor(options: ImageTilerOptions = {}) {
    super(options, webImageDecoder)
  }
}

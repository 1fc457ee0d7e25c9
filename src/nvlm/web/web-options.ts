import * as z from 'zod'
import { checkOptions } from '../check-options.js'

/** Options of loading that only a browser has. Plain data: they are sent to the worker. */
export interface WebSettings {
  /**
   * Keep the files of the model in the browser's file store, so that the next start needs no network. Default true;
   * `'refresh'` asks the server for the manifest again and fetches what has changed.
   */
  readonly cache?: boolean | 'refresh' | undefined
  /** Sent with every request for a file of the model, such as `{ authorization: 'Bearer …' }`. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /**
   * URL of the folder with ONNX Runtime's `.wasm` files, with a slash at the end. Default: where the bundler has put them.
   */
  readonly wasmPaths?: string | undefined
}

const webSchema = z.object({
  cache: z.union([z.boolean(), z.literal('refresh')], 'expected true, false or "refresh"').optional(),
  headers: z.record(z.string(), z.string(), 'expected an object of texts').optional(),
  wasmPaths: z
    .string('expected the URL of a folder')
    .regex(/\/$/, 'expected the URL of a folder, with a slash at the end')
    .optional(),
})

/**
 * Take a browser's own options out of those of loading, and check them.
 *
 * @throws {NVLMError} INVALID_OPTION
 */
export function splitWebOptions<Options extends WebSettings>(
  options: Options,
): { readonly web: WebSettings; readonly rest: Omit<Options, keyof WebSettings> } {
  const { cache, headers, wasmPaths, ...rest } = options
  const web = checkOptions(webSchema, { cache, headers, wasmPaths }, 'load')
  return { web, rest }
}

import * as z from 'zod'
import type { HubOptions } from '../hub/hub-options.js'
import type { ModelLicense } from '../hub/model-card.js'
import { checkOptions } from './check-options.js'

/** The licence of a model that is about to be downloaded for the first time. */
export interface LicenseNotice {
  /** Name on the hub. */
  readonly model: string
  readonly license: ModelLicense
  /** What to tell a user, in one sentence. */
  readonly message: string
}

/** Where a model comes from that is given by its name on the hub; without effect on folders, but for `revision`. */
export interface SourceOptions extends HubOptions {
  /**
   * Called once before the first download of a model whose card names a licence that forbids commercial use; a
   * `logger` gets the same as a warning. Throw to refuse the download.
   */
  readonly onLicense?: ((notice: LicenseNotice) => void) | undefined
}

const fields = {
  revision: z
    .string('expected a branch, tag or commit')
    .min(1, 'expected a branch, tag or commit')
    .optional(),
  cacheDir: z.string('expected a path').min(1, 'expected a path').optional(),
  endpoint: z.string('expected a URL').min(1, 'expected a URL').optional(),
  token: z.string('expected an access token').min(1, 'expected an access token').optional(),
  offline: z.boolean('expected true or false').optional(),
  onLicense: z
    .custom<SourceOptions['onLicense']>(value => typeof value === 'function', 'expected a function')
    .optional(),
}

const sourceSchema = z.strictObject(fields)

/**
 * Split what says where a model comes from off the options of a call, and check it.
 *
 * @param name - of the call, for messages
 * @throws {NVLMError} INVALID_OPTION
 */
export function splitSourceOptions<Options extends object>(
  options: Options & SourceOptions,
  name: string,
): { readonly source: SourceOptions; readonly rest: Omit<Options, keyof SourceOptions> } {
  const isSource = ([key]: [string, unknown]) => Object.hasOwn(fields, key)
  const entries = Object.entries(options)
  const source: SourceOptions = checkOptions(sourceSchema, Object.fromEntries(entries.filter(isSource)), name)
  const rest = Object.fromEntries(entries.filter(entry => !isSource(entry)))
  return { source, rest: rest as Omit<Options, keyof SourceOptions> }
}

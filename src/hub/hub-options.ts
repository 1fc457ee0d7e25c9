import { NVLMError } from '../core/errors.js'
import type { HubPlatform } from '../platform/hub-platform.js'
import { requireRevision } from './hub-name.js'

/** Where a model that is given by name comes from, and where it is kept. */
export interface HubOptions {
  /** Branch, tag or commit; default `main`. A commit is never asked for again once it is there. */
  readonly revision?: string | undefined
  /** Folder of the cache, shared with Python's library; default: HF_HUB_CACHE, HF_HOME/hub, ~/.cache/huggingface/hub. */
  readonly cacheDir?: string | undefined
  /** Server to ask; default: HF_ENDPOINT, https://huggingface.co. */
  readonly endpoint?: string | undefined
  /** Access token, sent to the endpoint and to no other server; default: HF_TOKEN, or the file that `hf auth login` writes. */
  readonly token?: string | undefined
  /** Ask no server: only what is in the cache is used. Default: HF_HUB_OFFLINE. */
  readonly offline?: boolean | undefined
}

/** Options with everything that the environment says. */
export interface HubSettings {
  readonly revision: string
  readonly cacheDir: string
  /** Without a slash at its end. */
  readonly endpoint: string
  readonly token: string | undefined
  readonly isOffline: boolean
}

const DEFAULT_ENDPOINT = 'https://huggingface.co'
const MAX_TOKEN_BYTES = 10_000
/** Characters that a header may carry; a line break would start another header. */
const TOKEN = /^[\x21-\x7e]+$/

/**
 * Join options and environment, as Python's library does.
 *
 * @throws {NVLMError} INVALID_OPTION for an endpoint, token or revision that can't be one
 * @see huggingface_hub `src/huggingface_hub/constants.py`
 */
export async function readHubSettings(options: HubOptions, platform: HubPlatform): Promise<HubSettings> {
  const { files, env } = platform
  const home =
    env('HF_HOME') ??
    files.join(env('XDG_CACHE_HOME') ?? files.join(platform.homeFolder, '.cache'), 'huggingface')
  const cacheDir =
    options.cacheDir ?? env('HF_HUB_CACHE') ?? env('HUGGINGFACE_HUB_CACHE') ?? files.join(home, 'hub')
  return {
    revision: requireRevision(options.revision ?? 'main'),
    cacheDir: files.resolve(expandHome(cacheDir, platform)),
    endpoint: requireEndpoint(options.endpoint ?? env('HF_ENDPOINT') ?? DEFAULT_ENDPOINT),
    token: requireToken(options.token ?? (await findToken(expandHome(home, platform), platform))),
    isOffline: options.offline ?? isTrue(env('HF_HUB_OFFLINE') ?? env('TRANSFORMERS_OFFLINE')),
  }
}

/** `~/x` in an environment variable means the user's folder; no shell has put it there. */
function expandHome(path: string, { files, homeFolder }: HubPlatform): string {
  return /^~(?=[/\\]|$)/.test(path) ? files.join(homeFolder, path.slice(1)) : path
}

function isTrue(value: string | undefined): boolean {
  return value !== undefined && ['1', 'ON', 'YES', 'TRUE'].includes(value.toUpperCase())
}

async function findToken(home: string, { files, env }: HubPlatform): Promise<string | undefined> {
  const given = env('HF_TOKEN') ?? env('HUGGING_FACE_HUB_TOKEN')
  if (given !== undefined) return given.trim() || undefined
  const path = env('HF_TOKEN_PATH') ?? files.join(home, 'token')
  if ((await files.stat(path))?.kind !== 'file') return undefined
  return new TextDecoder().decode(await files.read(path, MAX_TOKEN_BYTES)).trim() || undefined
}

function requireToken(token: string | undefined): string | undefined {
  if (token === undefined || TOKEN.test(token)) return token
  throw new NVLMError('INVALID_OPTION', 'token: has characters that no access token has', {
    hint: 'Set HF_TOKEN, or the option "token", to the token alone; it begins with hf_.',
  })
}

function requireEndpoint(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  const isPlain = url && url.search === '' && url.hash === '' && url.username === '' && url.password === ''
  if (isPlain && /^https?:$/.test(url.protocol)) return url.href.replace(/\/+$/, '')
  throw new NVLMError('INVALID_OPTION', `endpoint: expected an http or https URL without a query`, {
    hint: `Such as ${DEFAULT_ENDPOINT}, the default; the environment variable is HF_ENDPOINT.`,
  })
}

import * as z from 'zod'
import { NVLMError } from '../core/errors.js'
import { DEFAULT_IMAGE_LIMITS } from '../image/image-tiler-options.js'
import type { LoadedModel } from '../nvlm/load-model.js'
import { Observer } from '../nvlm/observer.js'
import { epochNow } from '../nvlm/run-clock.js'
import type { ModelInfo } from '../nvlm/stages.js'
import type { Clock } from '../platform/hub-platform.js'
import type { Platform } from '../platform/platform.js'
import { ChatServer } from './chat-server.js'
import type { PictureReader } from './picture-url.js'
import { RemoteClient } from './remote-client.js'
import { parseRemoteOptions, type RemoteLoadOptions, type RemoteSettings } from './remote-options.js'
import { Replicas } from './replicas.js'
import { atSomeReplica } from './request-retries.js'
import { systemClock } from './system-clock.js'

/** What a remote model needs of a machine. */
export interface RemoteHost extends Pick<PictureReader, 'decoder' | 'passesUrls'> {
  readonly diagnostics: Platform['diagnostics']
  /** Default: the machine's. */
  readonly clock?: Clock | undefined
}

const modelsSchema = z.object({
  data: z.array(z.object({ id: z.string().max(1000), max_model_len: z.int().min(1).nullish() })).max(10_000),
})

type ListedModel = z.output<typeof modelsSchema>['data'][number]

/** Names of models in a message. */
const MAX_LISTED = 20

/**
 * Get in touch with a model on a server, and say so on `nvlm:load`.
 *
 * @throws {NVLMError} INVALID_OPTION, REMOTE_FAILED, UNAUTHORIZED, MODEL_NOT_FOUND; the signal's reason on abort
 */
export async function loadRemote(options: RemoteLoadOptions, host: RemoteHost): Promise<LoadedModel> {
  const { settings, filters, logger, telemetry, signal, onWarning } = parseRemoteOptions(options)
  const { diagnostics, clock = systemClock, decoder, passesUrls } = host
  const observer = new Observer({ diagnostics, logger, telemetry })
  const startedAt = epochNow()
  for (const warning of keyWarnings(settings)) {
    logger?.warn(warning, {})
    onWarning?.(warning)
  }
  const servers = settings.baseURLs.map(url => new ChatServer(url, settings, clock))
  const replicas = new Replicas(servers, clock)
  try {
    const listed = await findModel(settings, replicas, clock, signal)
    const info = describeModel(listed)
    observer.loaded(info.id, startedAt, { info })
    const pictures = { decoder, passesUrls, limits: DEFAULT_IMAGE_LIMITS }
    return {
      client: new RemoteClient({ info, settings, replicas, pictures, clock }),
      surroundings: { observer, filters },
    }
  } catch (error) {
    observer.loaded(settings.model ?? servers[0]!.name, startedAt, { error })
    throw error
  }
}

async function findModel(
  settings: RemoteSettings,
  replicas: Replicas,
  clock: Clock,
  outer: AbortSignal | undefined,
): Promise<ListedModel> {
  const { maxRetries, timeoutMs, model } = settings
  const timeout = AbortSignal.timeout(timeoutMs)
  const signal = outer ? AbortSignal.any([outer, timeout]) : timeout
  const list = await atSomeReplica(
    { replicas, clock, maxRetries, signal, canRetry: () => true },
    async ({ server }) => readList(await server.json({ path: 'models', signal }), server.name),
  ).catch(error => {
    outer?.throwIfAborted()
    if (!timeout.aborted) throw error
    throw new NVLMError('REMOTE_FAILED', `the list of models did not come in ${timeoutMs} ms`, {
      cause: error,
    })
  })
  const names = list.slice(0, MAX_LISTED).map(({ id }) => id)
  const found = model === undefined && list.length === 1 ? list[0] : list.find(({ id }) => id === model)
  if (found) return found
  const has = names.length === 0 ? 'has none' : `has ${names.join(', ')}`
  if (model === undefined) {
    throw new NVLMError('INVALID_OPTION', `load: option "remote.model" is not given, and the server ${has}`, {
      hint: 'Say which one.',
    })
  }
  throw new NVLMError('MODEL_NOT_FOUND', `the server has no model "${model}"; it ${has}`, {
    hint: 'Set remote.model to one of these names.',
  })
}

function readList(answer: unknown, server: string): readonly ListedModel[] {
  const parsed = modelsSchema.safeParse(answer)
  if (parsed.success) return parsed.data.data
  throw new NVLMError('REMOTE_FAILED', `${server}: the answer to /models is no list of models`, {
    hint: 'Check remote.baseURL: it mostly ends in /v1.',
    cause: parsed.error,
  })
}

function describeModel({ id, max_model_len }: ListedModel): ModelInfo {
  return {
    id,
    family: 'remote',
    contextLength: max_model_len ?? Number.POSITIVE_INFINITY,
    device: { vision: 'remote', projector: 'remote', decoder: 'remote' },
    dtype: { vision: 'unknown', projector: 'unknown', decoder: 'unknown' },
    bytes: 0,
  }
}

/** A key that anybody on the way can read. */
function keyWarnings({ apiKey, baseURLs }: RemoteSettings): readonly string[] {
  if (apiKey === undefined) return []
  return baseURLs
    .filter(({ protocol, hostname }) => protocol === 'http:' && !isLoopback(hostname))
    .map(({ origin }) => `remote.apiKey: is sent unencrypted to ${origin}; use https, or a private network`)
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname)
}

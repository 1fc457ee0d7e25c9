import type { RunningServer, ServeOptions } from './api.js'
import { type Args, UsageError } from './args.js'
import type { Command, CommandContext } from './command.js'
import { paint } from './output.js'
import { Progress } from './progress.js'
import { noticeWriter, revisionFlag } from './source-flags.js'

/** Where the key may be instead of on the command line, which other users of a machine can see. */
const KEY_VARIABLE = 'NVLM_API_KEY'

/** `nvlm serve`: a model behind OpenAI's API. */
export const serve: Command = {
  name: 'serve',
  operands: '[model]',
  summary: "Answer requests in the form of OpenAI's API.",
  notes: [
    'The model is a folder or a name on the hub (default: the tiny model inside). Routes: /v1/chat/completions,',
    '/v1/responses, /v1/models, /health, /metrics. SIGTERM or Ctrl-C lets running answers end (30 s at most).',
  ],
  endsOnSignal: true,
  flags: [
    { name: 'host', value: 'name', help: 'address to listen at (default 127.0.0.1; others need a key)' },
    { name: 'port', value: 'n', help: 'port to listen at (default 8000; 0: any free one)' },
    { name: 'api-key', value: 'key', help: `key that requests must bring (default: ${KEY_VARIABLE})` },
    {
      name: 'allowed-hosts',
      value: 'names',
      help: 'host names that requests may use, with commas between (localhost and addresses always may)',
    },
    { name: 'model-name', value: 'name', help: 'what requests call the model (default: its id)' },
    { name: 'concurrency', value: 'n', help: 'answers computed at once (default 1)' },
    { name: 'queue', value: 'n', help: 'answers that may wait (default 32); more get status 429' },
    {
      name: 'prefix-cache',
      value: 'MiB',
      help: 'memory for what finished answers have read, to go on from there (default 512; 0: none)',
    },
    { name: 'context-length', value: 'n', help: 'most tokens of prompt and answer (default: as trained)' },
    revisionFlag,
    { name: 'dtype', value: 'name', help: 'number format of the weights (default: as in the folder)' },
    { name: 'image-urls', help: 'fetch pictures that requests name by http(s) URLs of public addresses' },
    {
      name: 'image-networks',
      value: 'nets',
      help: 'networks that pictures may come from too, such as 10.20.0.0/16 (with --image-urls)',
    },
    {
      name: 'image-folder',
      value: 'dir',
      help: 'read pictures that requests name by file: URLs in this folder',
    },
    {
      name: 'stall-timeout',
      value: 'seconds',
      help: 'silence after which a busy engine is killed and started again (default 600)',
    },
    { name: 'log', help: 'write a line of JSON to stderr for each request' },
  ],
  async run(args, context) {
    const server = await start(args, context)
    const { err, out, signal } = context
    out.write(`${server.url}\n`)
    err.write(`${paint(err, 'dim', `serving ${server.modelName} at ${server.url}/v1`)}\n`)
    await whenAborted(signal)
    err.write(`${paint(err, 'dim', 'letting running answers end')}\n`)
    await server.close()
  },
}

async function start(args: Args, { api, err, signal }: CommandContext): Promise<RunningServer> {
  const options = readOptions(args)
  const progress = new Progress(err)
  const onNotice = noticeWriter(err, progress)
  return api
    .serve(oneOrNone(args), {
      ...options,
      ...{ signal, onNotice },
      onProgress: progress.update,
      onRequest: args.has('log') ? record => err.write(logLine(record)) : undefined,
    })
    .finally(() => progress.clear())
}

function readOptions(args: Args): Omit<ServeOptions, 'signal' | 'onNotice' | 'onProgress'> {
  const stallSeconds = args.number('stall-timeout')
  const prefixMebibytes = args.number('prefix-cache')
  const imageNetworks = list(args.text('image-networks'))
  if (imageNetworks && !args.has('image-urls'))
    throw new UsageError('--image-networks goes with --image-urls')
  return {
    host: args.text('host'),
    port: args.number('port'),
    apiKey: args.text('api-key') ?? (process.env[KEY_VARIABLE] || undefined),
    allowedHosts: list(args.text('allowed-hosts')),
    modelName: args.text('model-name'),
    concurrency: args.number('concurrency'),
    prefixCache: prefixMebibytes === undefined ? undefined : Math.round(prefixMebibytes * 2 ** 20),
    maxQueued: args.number('queue'),
    contextLength: args.number('context-length'),
    revision: args.text('revision'),
    dtype: args.text('dtype'),
    imageUrls: args.has('image-urls'),
    imageNetworks,
    imageFolder: args.text('image-folder'),
    stallTimeoutMs: stallSeconds === undefined ? undefined : Math.round(stallSeconds * 1000),
  }
}

function oneOrNone(args: Args): string | undefined {
  return args.operands.length === 0 ? undefined : args.only('model')
}

function list(text: string | undefined): readonly string[] | undefined {
  return text?.split(',').map(item => item.trim())
}

function logLine(record: Parameters<NonNullable<ServeOptions['onRequest']>>[0]): string {
  return `${JSON.stringify({ time: new Date().toISOString(), ...record, ms: Math.round(record.ms) })}\n`
}

function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

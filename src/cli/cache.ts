import { NVLMError } from '../core/errors.js'
import type { CachedModel } from '../hub/model-cache.js'
import { type Args, UsageError } from './args.js'
import type { Command, CommandContext } from './command.js'
import { describeBytes } from './describe-bytes.js'
import { printable, table } from './output.js'
import { Progress } from './progress.js'
import { revisionFlag } from './source-flags.js'

type Action = (names: readonly string[], args: Args, context: CommandContext) => Promise<void>

const ACTIONS: Readonly<Record<string, Action>> = { list, rm, verify }

/** `nvlm cache`: what was downloaded by name. */
export const cache: Command = {
  name: 'cache',
  operands: '<list | rm <name> | verify <name>>',
  summary: 'List, remove or check the models that were downloaded by name.',
  notes: [
    'list    models in the cache, with their commits and sizes',
    'rm      remove a model; with --revision only one commit, with what no other needs',
    'verify  check every byte against the hash that names its file',
  ],
  flags: [
    { name: 'revision', value: 'name', help: 'rm: branch, tag or commit to remove (default: all)' },
    { name: 'json', help: 'print it as JSON' },
  ],
  async run(args, context) {
    const [name = '', ...names] = args.operands
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined
    if (action === undefined) throw new UsageError(`expected list, rm or verify${name && `, got "${name}"`}`)
    if (action !== rm && args.text(revisionFlag.name))
      throw new UsageError(`--revision does not go with ${name}`)
    await action(names, args, context)
  },
}

async function list(names: readonly string[], args: Args, { api, out }: CommandContext): Promise<void> {
  if (names.length > 0) throw new UsageError(`unexpected argument "${names[0]}"`)
  const models = await api.cache.list()
  if (args.has('json')) out.write(`${JSON.stringify(models, undefined, 2)}\n`)
  else
    out.write(
      table(
        out,
        models.map(({ name, ...rest }) => [name, describeModel(rest)]),
      ),
    )
}

function describeModel({ bytes, revisions }: Omit<CachedModel, 'name'>): string {
  const commits = revisions.map(({ commit, refs }) =>
    [commit.slice(0, 12), ...refs.map(ref => `(${ref})`)].join(' '),
  )
  return [describeBytes(bytes), ...commits].join('  ')
}

async function rm(names: readonly string[], args: Args, { api, out, signal }: CommandContext): Promise<void> {
  const bytes = await api.cache.remove(onlyName(names), { revision: args.text('revision'), signal })
  if (args.has('json')) out.write(`${JSON.stringify({ freedBytes: bytes })}\n`)
  else out.write(`${describeBytes(bytes)} freed\n`)
}

async function verify(names: readonly string[], args: Args, context: CommandContext): Promise<void> {
  const { api, out, err, signal } = context
  const name = onlyName(names)
  const progress = new Progress(err)
  const { ok, files } = await api.cache
    .verify(name, { signal, onProgress: progress.update })
    .finally(() => progress.clear())
  if (args.has('json')) out.write(`${JSON.stringify({ ok, files }, undefined, 2)}\n`)
  else
    out.write(
      table(
        out,
        files.map(({ file, state }) => [printable(out, file), state]),
      ),
    )
  if (ok) return
  const numBad = files.filter(({ state }) => state === 'changed' || state === 'missing').length
  throw new NVLMError('INTEGRITY', `${name}: ${numBad} of ${files.length} files are damaged`, {
    hint: `Remove it and download it again: nvlm cache rm ${name}, then nvlm pull ${name}.`,
  })
}

function onlyName(names: readonly string[]): string {
  const [name, ...more] = names
  if (name !== undefined && more.length === 0) return name
  throw new UsageError(
    name === undefined ? 'name of a model is missing' : `one name expected, got ${names.length}`,
  )
}

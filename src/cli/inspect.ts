import type { Command } from './command.js'
import { describeBytes } from './describe-bytes.js'
import { printable, table } from './output.js'
import { revisionFlag } from './source-flags.js'

/** `nvlm inspect`: what a model holds. */
export const inspect: Command = {
  name: 'inspect',
  operands: '<model>',
  summary: 'Say what a model holds, needs and may be used for, without loading or downloading its weights.',
  notes: [
    'The model is a folder, or a name on the hub such as OpenGVLab/InternVL3-1B.',
    'Of a checkpoint it tells what each dtype needs: disk, memory on a CPU, memory on a GPU. It fails if none fits',
    'the memory of this machine, or if the one that was asked for does not.',
  ],
  flags: [
    revisionFlag,
    { name: 'dtype', value: 'name', help: 'tell the needs of this dtype only' },
    { name: 'context', value: 'tokens', help: 'length that memory is counted for (default: 4096)' },
    { name: 'json', help: 'print it as JSON' },
  ],
  async run(args, { api, out }) {
    const description = await api.inspect(args.only('model'), {
      revision: args.text('revision'),
      dtype: args.text('dtype'),
      contextLength: args.number('context'),
    })
    if (args.has('json')) out.write(`${JSON.stringify(description, undefined, 2)}\n`)
    else
      out.write(
        table(
          out,
          rowsOf(description).map(([name, value]) => [name, printable(out, value)]),
        ),
      )
  },
}

/** A description as flat rows: `tile.size`, `448`. */
function rowsOf(value: object, prefix = ''): [string, string][] {
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]): [string, string][] => {
    const name = `${prefix}${key}`
    if (inner === undefined) return []
    if (Array.isArray(inner)) {
      const isList = inner.every(item => typeof item !== 'object')
      return isList ? [[name, inner.join(', ')]] : inner.flatMap(item => rowsOf(item, `${name}.`))
    }
    if (typeof inner === 'object' && inner !== null) return rowsOf(inner, `${name}.`)
    return [[name, /bytes$/i.test(key) && typeof inner === 'number' ? describeBytes(inner) : String(inner)]]
  })
}

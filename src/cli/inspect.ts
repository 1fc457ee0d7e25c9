import type { Command } from './command.js'
import { printable, table } from './output.js'

/** `nvlm inspect`: what a model folder holds. */
export const inspect: Command = {
  name: 'inspect',
  operands: '<model>',
  summary: 'Say what a checkpoint or prepared folder holds, without loading its weights.',
  notes: [
    'Of a checkpoint it tells what each dtype needs: disk, memory on a CPU, memory on a GPU. It fails if none fits',
    'the memory of this machine, or if the one that was asked for does not.',
  ],
  flags: [
    { name: 'dtype', value: 'name', help: 'tell the needs of this dtype only' },
    { name: 'context', value: 'tokens', help: 'length that memory is counted for (default: 4096)' },
    { name: 'json', help: 'print it as JSON' },
  ],
  async run(args, { api, out }) {
    const description = await api.inspect(args.only('model folder'), {
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

/** Bytes in a unit that reads well, with powers of 1000. */
export function describeBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${value >= 99.95 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

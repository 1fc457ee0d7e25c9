import { NVLMError } from '../core/errors.js'
import type { Command } from './command.js'
import { printable, table } from './output.js'
import { Progress } from './progress.js'

/** `nvlm verify`: is every byte of a prepared folder as it was written? */
export const verify: Command = {
  name: 'verify',
  operands: '<model>',
  summary: 'Check every byte of a prepared folder against its hashes.',
  notes: [
    'Weights that are read in place in a checkpoint are checked by size and header, and by hash if the folder',
    'was prepared with --hash-weights.',
  ],
  flags: [{ name: 'json', help: 'print it as JSON' }],
  async run(args, { api, out, err, signal }) {
    const folder = args.only('model folder')
    const progress = new Progress(err)
    const result = await api
      .verify(folder, { signal, onProgress: progress.update })
      .finally(() => progress.clear())
    if (args.has('json')) out.write(`${JSON.stringify(result, undefined, 2)}\n`)
    else
      out.write(
        table(
          out,
          result.files.map(({ file, state }) => [printable(out, file), state]),
        ),
      )
    if (result.ok) return
    const bad = result.files.filter(({ state }) => state === 'changed' || state === 'missing')
    throw new NVLMError(
      'MODEL_INVALID',
      `${folder}: ${bad.length} of ${result.files.length} files are damaged`,
      {
        hint: 'Prepare the checkpoint again, or download the folder again.',
      },
    )
  },
}

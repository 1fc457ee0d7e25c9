import { UsageError } from './args.js'
import type { Command } from './command.js'
import { Progress } from './progress.js'

/** `nvlm prepare`: checkpoint folder to prepared folder. */
export const prepare: Command = {
  name: 'prepare',
  operands: '<checkpoint>',
  summary: 'Turn a checkpoint folder into a prepared one.',
  notes: [
    'The prepared folder holds small graphs that point into the weights of the checkpoint: keep both,',
    'in the same place relative to each other. It appears whole or not at all.',
  ],
  flags: [{ name: 'out', value: 'folder', help: 'folder to make; must not exist' }],
  async run(args, { api, out, err, signal }) {
    const checkpoint = args.only('checkpoint folder')
    const folder = args.text('out')
    if (folder === undefined) throw new UsageError('--out <folder> is missing')
    const progress = new Progress(err)
    await api
      .prepare(checkpoint, { out: folder, signal, onProgress: progress.update })
      .finally(() => progress.clear())
    out.write(`${folder}\n`)
  },
}

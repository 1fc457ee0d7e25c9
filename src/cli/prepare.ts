import { UsageError } from './args.js'
import type { Command } from './command.js'
import { Progress } from './progress.js'
import { noticeWriter, revisionFlag } from './source-flags.js'

/** `nvlm prepare`: checkpoint folder to prepared folder. */
export const prepare: Command = {
  name: 'prepare',
  operands: '<checkpoint>',
  summary: 'Turn a checkpoint, given as a folder or by its name on the hub, into a prepared folder.',
  notes: [
    'In fp32 the prepared folder holds small graphs that point into the weights of the checkpoint: keep both,',
    'in the same place relative to each other. With any other dtype it has all its weights, in files below 2 GB.',
    'It appears whole or not at all; a conversion that was stopped goes on where it was when it is run again.',
    '',
    'Dtypes: fp32, bf16, fp16, q8, q4 for all stages (q8 and q4 keep the vision tower in floats), or for each stage,',
    'such as decoder=q4,projector=q8,vision=bf16.',
  ],
  flags: [
    revisionFlag,
    { name: 'out', value: 'folder', help: 'folder to make; must not exist' },
    { name: 'dtype', value: 'name', help: 'what the weights are stored as (default: fp32)' },
    { name: 'rounding', value: 'name', help: 'search or min-max, for q8 and q4 (default: search)' },
    { name: 'activations', value: 'name', help: 'int8 or fp32 inside q8 and q4 layers (default: int8)' },
    { name: 'hash-weights', help: 'record hashes of weights that are read in place, for `nvlm verify`' },
    {
      name: 'threads',
      value: 'number',
      help: 'threads that convert (default: one more than there are cores)',
    },
  ],
  async run(args, { api, out, err, signal }) {
    const checkpoint = args.only('checkpoint')
    const folder = args.text('out')
    if (folder === undefined) throw new UsageError('--out <folder> is missing')
    const progress = new Progress(err)
    await api
      .prepare(checkpoint, {
        out: folder,
        dtype: args.text('dtype'),
        rounding: args.text('rounding'),
        activations: args.text('activations'),
        hashWeights: args.has('hash-weights') || undefined,
        numThreads: args.number('threads'),
        revision: args.text('revision'),
        signal,
        onNotice: noticeWriter(err, progress),
        onProgress: progress.update,
      })
      .finally(() => progress.clear())
    out.write(`${folder}\n`)
  },
}

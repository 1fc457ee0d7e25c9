import type { Command } from './command.js'
import { Progress } from './progress.js'
import { noticeWriter, revisionFlag } from './source-flags.js'

/** `nvlm pull`: bring a model into the cache. */
export const pull: Command = {
  name: 'pull',
  operands: '<name>',
  summary: 'Download a model by its name on the hub, and print its folder.',
  notes: [
    'The name is one such as OpenGVLab/InternVL3-1B. Every file is checked by its hash. A download that was stopped goes',
    'on where it was. The cache is the one of Python: HF_HUB_CACHE, HF_HOME, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE',
    'mean what they mean there, HTTPS_PROXY and NO_PROXY too.',
  ],
  flags: [revisionFlag],
  async run(args, { api, out, err, signal }) {
    const progress = new Progress(err)
    const folder = await api
      .pull(args.only('name of a model'), {
        revision: args.text('revision'),
        signal,
        onNotice: noticeWriter(err, progress),
        onProgress: progress.update,
      })
      .finally(() => progress.clear())
    out.write(`${folder}\n`)
  },
}

import { pathToFileURL } from 'node:url'
import { startConvertThreads } from '../../src/nvlm/worker/convert-threads.js'
import { nodePlatform } from '../../src/platform/node/node-platform.js'
import { prepareCheckpoint } from '../../src/prepare/prepare-checkpoint.js'

/** A process of its own that converts, so that its peak memory is that of a conversion: `child <worker> <in> <out> <dtype>`. */
const [worker, checkpoint, out, dtype] = process.argv.slice(2)
const started = performance.now()
const { files, publisher } = nodePlatform
const startConverter = () => startConvertThreads(pathToFileURL(worker!), 2)
await prepareCheckpoint(files, publisher, checkpoint!, { out: out!, dtype: dtype! }, { startConverter })
const seconds = (performance.now() - started) / 1000
process.stdout.write(JSON.stringify({ seconds, peakBytes: process.resourceUsage().maxRSS * 1024 }))

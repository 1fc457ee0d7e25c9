import { parentPort, workerData } from 'node:worker_threads'
import { NVLMError } from '../../src/core/errors.js'
import type { LoadHooks } from '../../src/nvlm/load-engine.js'
import { nodeHostPort } from '../../src/nvlm/worker/node-port.js'
import type { WorkerStart } from '../../src/nvlm/worker/protocol.js'
import { serveEngine } from '../../src/nvlm/worker/serve-engine.js'
import { FakeStages, type FakeStagesOptions, nextTurn } from './fake-stages.js'

/** What a worker does that is started with this as its folder. */
const SCENARIOS: Readonly<Record<string, FakeStagesOptions>> = {
  fine: { answer: prompt => ` ${prompt} ` },
  endless: { answer: () => 'a'.repeat(5000), work: nextTurn },
  /** Holds its thread during each step, as ONNX Runtime does. */
  blocking: { answer: () => 'a'.repeat(50), work: async () => block(20) },
  crashing: { work: crash },
  failing: { work: fail },
}

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

async function crash(): Promise<void> {
  setImmediate(() => {
    throw new Error('the native code gave up')
  })
  await new Promise(() => {})
}

async function fail(): Promise<void> {
  const cause = new RangeError('too far')
  throw new NVLMError('BACKEND_FAILED', 'the graph does not run', { hint: 'Try another.', cause })
}

async function load(folder: string, { signal, onProgress }: LoadHooks): Promise<FakeStages> {
  onProgress?.({ stage: 'open', done: 0, total: 1 })
  if (folder === 'missing') {
    throw new NVLMError('MODEL_NOT_FOUND', 'missing: no config.json', { hint: 'Give another folder.' })
  }
  if (folder === 'dying') throw new Error('an unexpected thing')
  if (folder === 'exiting') process.exit(7)
  if (folder === 'waiting') {
    while (!signal?.aborted) await nextTurn()
    signal.throwIfAborted()
  }
  if (folder === 'images') return stagesThatDescribeImages()
  return new FakeStages(SCENARIOS[folder])
}

/** Answers with what arrived of the picture. */
function stagesThatDescribeImages(): FakeStages {
  let seen = ''
  const stages = new FakeStages({ answer: () => seen })
  const { open } = stages.tiler
  const describe = (image: unknown): unknown =>
    image instanceof Uint8Array
      ? `${image.length} of ${image.buffer.byteLength}: ${image.slice(0, 6)}`
      : image
  stages.tiler.open = (image, options) => {
    const given: unknown = image
    const isPixels = typeof given === 'object' && given !== null && 'width' in given
    seen = JSON.stringify(
      isPixels ? { ...given, data: describe(Reflect.get(given, 'data')) } : describe(given),
    )
    return open('1' as never, options)
  }
  return stages
}

const { folder } = workerData as WorkerStart

void serveEngine(nodeHostPort(parentPort!), { load: hooks => load(folder, hooks), nextTurn })

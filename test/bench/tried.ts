import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type Backend, loadStages, type Stages } from 'nvlm-ts'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { OrtSession } from '../../src/backend/ort-session.js'
import { encodeModel } from '../../src/formats/onnx/encode-model.js'
import {
  attentionGraph,
  attentionShape,
  type PastFormat,
  pastFormats,
  pastInput,
} from './attention-graphs.js'
import { describeMachine } from './machine.js'
import { makeModel } from './model/make-model.js'
import { modelPaths } from './model/model-paths.js'
import { note, parseOptions } from './options.js'
import { type Trial, writeTried } from './report/tried.js'

/** What was tried for decode speed and left out: `npm run bench:tried`. */
const numThreads = availableParallelism()

/** Sessions live side by side here: after its run one must not go on spinning while another is timed. */
const restsBetweenRuns = { force_spinning_stop: '1' } as const

/** Something to time, taken in turns with others. */
interface Candidate {
  readonly name: string
  run(): Promise<unknown>
}

async function timeInTurns(candidates: readonly Candidate[], rounds: number): Promise<readonly Trial[]> {
  const trials = candidates.map(({ name }) => ({ name, ms: [] as number[] }))
  for (const { run } of candidates) await run()
  for (let round = 0; round < rounds; round++) {
    for (const [index, { run }] of candidates.entries()) {
      const started = performance.now()
      await run()
      trials[index]!.ms.push(performance.now() - started)
    }
  }
  return trials
}

async function timeAttention(past: number, rounds: number): Promise<readonly Trial[]> {
  const sessions = await Promise.all(
    pastFormats.map(async format =>
      InferenceSession.create(encodeModel(attentionGraph(format).build()), {
        intraOpNumThreads: numThreads,
        extra: { session: restsBetweenRuns },
      }),
    ),
  )
  const candidates = pastFormats.map((format, index) => {
    const feeds = attentionFeeds(format, past)
    return { name: format, run: () => sessions[index]!.run(feeds) }
  })
  const trials = await timeInTurns(candidates, rounds)
  for (const session of sessions) await session.release()
  return trials
}

function attentionFeeds(format: PastFormat, past: number): Record<string, Tensor> {
  const { numLayers, numKeyValueHeads, group, headDim } = attentionShape
  const queries = numKeyValueHeads * group
  const feeds: Record<string, Tensor> = {
    x: new Tensor('float32', new Float32Array(queries * headDim).fill(0.1), [queries, headDim]),
  }
  const isJoined = format === 'float32, both heads at once'
  for (let layer = 0; layer < numLayers; layer++) {
    for (const kind of ['key', 'value'] as const) {
      if (isJoined) {
        const size = past * numKeyValueHeads * headDim
        const dims = [past, numKeyValueHeads, headDim]
        feeds[pastInput(kind, layer, 0)] = new Tensor('float32', new Float32Array(size).fill(0.1), dims)
        continue
      }
      for (let head = 0; head < numKeyValueHeads; head++) {
        feeds[pastInput(kind, layer, head)] = rows(format, past, headDim)
        if (format !== 'int8') continue
        const scales = new Float32Array(past).fill(0.02)
        feeds[pastInput(`${kind}Scale`, layer, head)] = new Tensor('float32', scales, [1, past])
      }
    }
  }
  return feeds
}

function rows(format: 'float32' | 'float16' | 'int8', past: number, headDim: number): Tensor {
  const size = past * headDim
  const dims = [past, headDim]
  if (format === 'int8') return new Tensor('int8', new Int8Array(size).fill(5), dims)
  // 0x2e66 is about 0.1
  if (format === 'float16') return new Tensor('float16', new Uint16Array(size).fill(0x2e66), dims)
  return new Tensor('float32', new Float32Array(size).fill(0.1), dims)
}

/** Settings of a session of the whole decoder. */
const sessionSettings = [
  { name: 'as loaded', numThreads, spins: true },
  { name: 'threads wait without spinning', numThreads, spins: false },
  { name: 'one thread', numThreads: 1, spins: true },
] as const

function backendWith(spins: boolean): Backend {
  return {
    name: 'onnxruntime-node',
    devices: ['cpu'],
    async createSession(graph, options) {
      const session = await InferenceSession.create(graph.model, {
        enableMemPattern: false,
        ...(options.numThreads === undefined ? {} : { intraOpNumThreads: options.numThreads }),
        extra: {
          session: {
            model_external_initializers_file_folder_path: graph.dataFolder,
            intra_op: { allow_spinning: spins ? '1' : '0' },
            ...restsBetweenRuns,
          },
        },
      })
      return new OrtSession(session, { to: toTensor }, graph.name)
    },
  }
}

const toTensor: ConstructorParameters<typeof OrtSession>[1]['to'] = ({ type, data, dims }) =>
  new Tensor(type, data as never, dims)

async function timeSettings(model: string, context: number, rounds: number): Promise<readonly Trial[]> {
  const loaded: Stages[] = []
  const candidates: Candidate[] = []
  const inputIds = Array.from({ length: context }, (_, i) => 1000 + (i % 5000))
  for (const { name, spins, ...settings } of sessionSettings) {
    const stages = await loadStages(model, { backend: backendWith(spins), numThreads: settings.numThreads })
    const state = await stages.decoder.open({ contextLength: context + 1 })
    await state.prefill({ inputIds })
    loaded.push(stages)
    candidates.push({
      name,
      run: async () => {
        await state.step(1000)
        state.truncate(context)
      },
    })
  }
  const trials = await timeInTurns(candidates, rounds)
  for (const stages of loaded) await stages.dispose()
  return trials
}

const args = process.argv.slice(2)
const options = parseOptions(args)
await makeModel({ ...options, only: ['checkpoint', 'nvlm'] })
const { nvlmDecoder } = modelPaths(options.dataFolder, options.shape)
const contexts = options.isQuick ? [32, 64] : [128, 1024, 4096]
const attention = []
for (const context of contexts) {
  note(`attention over ${context}`)
  attention.push({ context, trials: await timeAttention(context, options.isQuick ? 3 : 40) })
}
const settings = []
for (const context of contexts.slice(0, 2)) {
  note(`settings at ${context}`)
  settings.push({ context, trials: await timeSettings(nvlmDecoder, context, options.isQuick ? 3 : 40) })
}
const command = `npm run bench:tried${args.length === 0 ? '' : ` -- ${args.join(' ')}`}`
const isPublished = !options.isQuick && options.shape === 'internvl3-1b'
const out = options.out ?? (isPublished ? 'docs' : options.dataFolder)
writeFileSync(
  join(out, 'benchmarks-tried.md'),
  writeTried({ machine: describeMachine(), command, attention, settings }),
)
note(`written to ${out}`)

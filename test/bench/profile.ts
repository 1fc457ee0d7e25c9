import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Backend, loadStages } from 'nvlm-ts'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { OrtSession } from '../../src/backend/ort-session.js'
import { describeMachine } from './machine.js'
import { makeModel } from './model/make-model.js'
import { modelPaths } from './model/model-paths.js'
import { note, parseOptions } from './options.js'
import { type StepProfile, writeProfile } from './report/profile.js'

/** Where the time of a token goes: `npm run bench:profile`. Profiling itself costs some of it. */
const STEPS = 24

interface TraceEvent {
  readonly cat: string
  readonly name: string
  readonly ts: number
  readonly dur: number
  readonly args?: { readonly op_name?: string }
}

/** ONNX Runtime with its profiler on, and the time that its runs took. */
class ProfiledBackend implements Backend {
  readonly name = 'onnxruntime-node, profiled'
  readonly devices = ['cpu'] as const
  runMs = 0
  private decoder: InferenceSession | undefined

  constructor(private readonly folder: string) {}

  async createSession(...[graph, { numThreads }]: Parameters<Backend['createSession']>) {
    const session = await InferenceSession.create(graph.model, {
      enableMemPattern: false,
      enableProfiling: true,
      profileFilePrefix: join(this.folder, graph.name),
      ...(numThreads === undefined ? {} : { intraOpNumThreads: numThreads }),
      extra: { session: { model_external_initializers_file_folder_path: graph.dataFolder } },
    })
    this.decoder = session
    const timed = async (feeds: InferenceSession.FeedsType) => {
      const started = performance.now()
      const outputs = await session.run(feeds)
      this.runMs += performance.now() - started
      return outputs
    }
    const parts = { inputNames: session.inputNames, outputNames: session.outputNames }
    return new OrtSession(
      { ...parts, run: timed as never, release: () => session.release() },
      { to: ({ type, data, dims }) => new Tensor(type, data as never, dims) },
      graph.name,
    )
  }

  /** What the profiler saw in the last runs of the decoder. */
  finish(numRuns: number): readonly TraceEvent[] {
    this.decoder?.endProfiling()
    const [file] = readdirSync(this.folder).filter(name => name.startsWith('decoder'))
    const events = JSON.parse(readFileSync(join(this.folder, file!), 'utf8')) as TraceEvent[]
    const runs = events.filter(({ name }) => name === 'model_run')
    const first = runs.at(-numRuns)!.ts
    return events.filter(({ cat, ts }) => cat === 'Node' && ts >= first)
  }
}

async function profile(model: string, context: number): Promise<StepProfile> {
  const folder = mkdtempSync(join(tmpdir(), 'nvlm-profile-'))
  const backend = new ProfiledBackend(folder)
  const stages = await loadStages(model, { backend, numThreads: availableParallelism() })
  const state = await stages.decoder.open({ contextLength: context + 1 + STEPS })
  await state.prefill({ inputIds: Array.from({ length: context }, (_, i) => 1000 + (i % 5000)) })
  // the contexts are powers of two: this token makes the cache grow, which happens once in so many
  await state.step(1000)
  backend.runMs = 0
  const started = performance.now()
  for (let step = 0; step < STEPS; step++) await state.step(1000 + step)
  const stepMs = (performance.now() - started) / STEPS
  const runMs = backend.runMs / STEPS
  const kernels = new Map<string, { ms: number; count: number }>()
  for (const { name, dur, args } of backend.finish(STEPS)) {
    if (!name.endsWith('_kernel_time')) continue
    const op = kernels.get(args!.op_name!) ?? { ms: 0, count: 0 }
    kernels.set(args!.op_name!, { ms: op.ms + dur / 1000 / STEPS, count: op.count + 1 / STEPS })
  }
  state.dispose()
  await stages.dispose()
  rmSync(folder, { recursive: true })
  return { context, stepMs, runMs, kernels }
}

const args = process.argv.slice(2)
const options = parseOptions(args)
await makeModel({ ...options, only: ['checkpoint', 'nvlm'] })
const { nvlmDecoder } = modelPaths(options.dataFolder, options.shape)
const profiles: StepProfile[] = []
for (const context of options.isQuick ? [32, 64] : [128, 1024, 4096]) {
  note(`profile: context ${context}`)
  profiles.push(await profile(nvlmDecoder, context))
}
const command = `npm run bench:profile${args.length === 0 ? '' : ` -- ${args.join(' ')}`}`
const isPublished = !options.isQuick && options.shape === 'internvl3-1b'
const out = options.out ?? (isPublished ? 'docs' : options.dataFolder)
writeFileSync(
  join(out, 'benchmarks-profile.md'),
  writeProfile({ machine: describeMachine(), command, profiles }),
)
note(`written to ${out}`)

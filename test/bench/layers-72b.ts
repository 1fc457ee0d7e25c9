import { copyFileSync, existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { loadStages, prepareCheckpoint, type Stages } from 'nvlm-ts'
import { nvlmConfig, nvlmTensors, writeShardedCheckpoint } from '../support/nvlm-d-72b.js'
import { describeMachine } from './machine.js'
import { withRandomData } from './model/random-72b.js'
import { note, parseOptions } from './options.js'
import { runPart } from './parts.js'
import { fullPlan, quickPlan } from './plan.js'
import { type LayerTimes, writeLayerReport } from './report/layers-72b.js'
import { summarize } from './statistics.js'

/** Two layers of each tower; a vocabulary as small as the tokeniser at hand. */
const SIZES = { numVisionLayers: 2, numDecoderLayers: 2, vocabSize: 512 }

const TOKENIZER = 'test/golden/official/ckpt/nvlmd-tiny-fp32'

/** Measure layers of the size of NVLM-D-72B, and say what the whole would take. */
async function main(): Promise<void> {
  const args = process.argv.slice(2)
  const options = parseOptions(args)
  const folder = join(options.dataFolder, 'nvlm-d-72b-layers')
  const prepared = join(folder, 'nvlm')
  if (!existsSync(prepared)) await makeModel(join(folder, 'checkpoint'), prepared)
  const numThreads = availableParallelism()
  const plan = options.isQuick ? quickPlan : fullPlan
  const { result: limits } = await runPart({ name: 'limits', plan, numThreads, model: '', decoder: '' })
  const stages = await loadStages(prepared, { numThreads })
  const times = await measure(stages, options.isQuick ? 1 : 3)
  await stages.dispose()
  const peakBytes = process.resourceUsage().maxRSS * 1024
  const command = `npm run bench:72b${args.length === 0 ? '' : ` -- ${args.join(' ')}`}`
  const report = { machine: describeMachine(), numThreads, limits, times, peakBytes, command }
  const out = options.out ?? (options.isQuick ? folder : 'docs')
  await writeFile(join(out, 'benchmarks-72b.md'), writeLayerReport(report))
  note(`written to ${out}`)
}

async function makeModel(checkpoint: string, prepared: string): Promise<void> {
  await rm(checkpoint, { recursive: true, force: true })
  await mkdir(checkpoint, { recursive: true })
  await writeShardedCheckpoint(checkpoint, nvlmConfig(SIZES), nvlmTensors(SIZES).map(withRandomData), 4)
  for (const name of ['vocab.json', 'merges.txt', 'tokenizer_config.json']) {
    copyFileSync(join(TOKENIZER, name), join(checkpoint, name))
  }
  note(`${checkpoint}: made`)
  await prepareCheckpoint(checkpoint, { out: prepared, dtype: 'q4' })
  note(`${prepared}: made`)
}

const CONTEXT = 256
const STEPS = 12

async function measure(stages: Stages, rounds: number): Promise<LayerTimes> {
  const side = stages.info.tile!.size
  const pixelValues = { data: new Float32Array(3 * side * side).fill(0.5), dims: [1, 3, side, side] }
  const inputIds = Array.from({ length: CONTEXT }, (_, index) => (index * 37) % 256)
  const state = await stages.decoder.open({ contextLength: CONTEXT + STEPS })
  const vision: number[] = []
  const projector: number[] = []
  const prefill: number[] = []
  const decode: number[] = []
  let features = await stages.visionEncoder.encode(pixelValues)
  for (let round = 0; round < rounds; round++) {
    vision.push(
      await time(async () => {
        features = await stages.visionEncoder.encode(pixelValues)
      }),
    )
    projector.push(await time(() => stages.projector.project(features)))
    state.truncate(0)
    prefill.push(await time(() => state.prefill({ inputIds })))
    for (let step = 0; step < STEPS; step++) decode.push(await time(() => state.step(step)))
    note(`layers: round ${round + 1} of ${rounds}`)
  }
  state.dispose()
  const median = (times: readonly number[]) => summarize(times).median
  return {
    visionLayerMs: median(vision) / SIZES.numVisionLayers,
    projectorMs: median(projector),
    prefillLayerMs: median(prefill) / SIZES.numDecoderLayers / CONTEXT,
    decodeLayerMs: median(decode) / SIZES.numDecoderLayers,
    contextTokens: CONTEXT,
  }
}

async function time(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

await main()

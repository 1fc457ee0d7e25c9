import { InferenceSession, Tensor } from 'onnxruntime-node'
import { encodeModel } from '../../src/formats/onnx/encode-model.js'
import { GraphBuilder } from '../../src/graph/graph-builder.js'
import type { Plan } from './plan.js'

/** What the machine can do at most, as far as the same engine reaches it. */
export interface Limits {
  /** Bytes a second read from memory. */
  readonly bandwidth: number
  /** Float32 multiplications and additions a second. */
  readonly flops: number
}

/** Measure both; the best of all rounds counts, since a limit is what nothing was faster than. */
export async function measureLimits({ limits }: Plan, numThreads: number): Promise<Limits> {
  const { floats, side, rounds } = limits
  const bandwidth = Math.max(
    await bestRate(await reduction(floats, numThreads), floats * 4, rounds),
    await bestRate(await product(1, floats / 2 ** 12, 2 ** 12, numThreads), floats * 4, rounds),
  )
  const flops = await bestRate(await product(side, side, side, numThreads), 2 * side ** 3, rounds)
  return { bandwidth, flops }
}

/** The better of two measurements. */
export function bestLimits(a: Limits, b: Limits): Limits {
  return { bandwidth: Math.max(a.bandwidth, b.bandwidth), flops: Math.max(a.flops, b.flops) }
}

/** Something to time, and to free afterwards. */
interface Work {
  run(): Promise<unknown>
  dispose(): Promise<void>
}

async function bestRate(work: Work, amount: number, rounds: number): Promise<number> {
  await work.run()
  let best = 0
  for (let round = 0; round < rounds; round++) {
    const started = performance.now()
    await work.run()
    best = Math.max(best, amount / ((performance.now() - started) / 1000))
  }
  await work.dispose()
  return best
}

/** The largest of many floats, row by row so that all threads have work. */
async function reduction(floats: number, numThreads: number): Promise<Work> {
  const graph = new GraphBuilder('reduction')
  const dims = [64, floats / 64]
  const largest = graph.op('ReduceMax', [graph.input('x', 'float32', dims), graph.ints([1])], {
    attributes: { keepdims: 0 },
  })
  graph.output('y', largest, 'float32', [64])
  return work(graph, { x: new Tensor('float32', new Float32Array(floats).fill(1), dims) }, numThreads)
}

async function product(m: number, k: number, n: number, numThreads: number): Promise<Work> {
  const graph = new GraphBuilder('product')
  const a = graph.input('a', 'float32', [m, k])
  const b = graph.input('b', 'float32', [k, n])
  graph.output('y', graph.op('MatMul', [a, b]), 'float32', [m, n])
  const feeds = {
    a: new Tensor('float32', new Float32Array(m * k).fill(1), [m, k]),
    b: new Tensor('float32', new Float32Array(k * n).fill(1), [k, n]),
  }
  return work(graph, feeds, numThreads)
}

async function work(
  graph: GraphBuilder,
  feeds: Readonly<Record<string, Tensor>>,
  numThreads: number,
): Promise<Work> {
  const session = await InferenceSession.create(encodeModel(graph.build()), { intraOpNumThreads: numThreads })
  return { run: () => session.run(feeds), dispose: () => session.release() }
}

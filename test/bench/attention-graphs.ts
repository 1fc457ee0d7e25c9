import { float, GraphBuilder, type Value } from '../../src/graph/graph-builder.js'
import { add, concat, mul, split } from '../../src/graph/ops.js'

/** Sizes of internvl3-1b's decoder: every layer looks back for one new token. */
export const attentionShape = { numLayers: 24, numKeyValueHeads: 2, group: 7, headDim: 64 } as const

/** How the past is stored. */
export type PastFormat = 'float32' | 'float16' | 'int8' | 'float32, both heads at once'

export const pastFormats: readonly PastFormat[] = [
  'float32',
  'float16',
  'int8',
  'float32, both heads at once',
]

/** Name of an input of the graphs. */
export function pastInput(kind: 'key' | 'value' | 'keyScale' | 'valueScale', layer: number, head: number) {
  return `${kind}.${layer}.${head}`
}

/**
 * Attention of one new token over the past, a layer after the other, without any weights. Input `x` float32 [14, 64]; past per
 * layer and head [past, 64], int8 with a float32 scale a row [1, past]; both heads at once: [past, 2, 64], float32.
 */
export function attentionGraph(format: PastFormat): GraphBuilder {
  const graph = new GraphBuilder('attention')
  const { numLayers, numKeyValueHeads, group, headDim } = attentionShape
  let x = graph.input('x', 'float32', [numKeyValueHeads * group, headDim])
  for (let layer = 0; layer < numLayers; layer++) {
    if (format === 'float32, both heads at once') {
      x = bothHeads(graph, x, layer)
    } else {
      const heads = split(graph, x, numKeyValueHeads, 0).map((query, head) =>
        oneHead(graph, query, format, layer, head),
      )
      x = concat(graph, heads, 0)
    }
  }
  graph.output('y', x, 'float32', [numKeyValueHeads * group, headDim])
  return graph
}

function oneHead(
  graph: GraphBuilder,
  query: Value,
  format: Exclude<PastFormat, 'float32, both heads at once'>,
  layer: number,
  head: number,
): Value {
  const { headDim } = attentionShape
  const past = (kind: 'key' | 'value') => {
    const stored = graph.input(pastInput(kind, layer, head), format, ['past', headDim])
    return format === 'float32' ? stored : graph.op('Cast', [stored], { attributes: { to: 1 } })
  }
  const scale = (kind: 'keyScale' | 'valueScale', scores: Value) =>
    format === 'int8'
      ? mul(graph, scores, graph.input(pastInput(kind, layer, head), 'float32', [1, 'past']))
      : scores
  const scores = scale('keyScale', product(graph, query, past('key'), { transB: 1 }))
  const weights = graph.op('Softmax', [scores], { attributes: { axis: -1 } })
  return add(graph, query, graph.op('MatMul', [scale('valueScale', weights), past('value')]))
}

function bothHeads(graph: GraphBuilder, x: Value, layer: number): Value {
  const { headDim, numKeyValueHeads, group } = attentionShape
  const queries = graph.op('Reshape', [x, graph.ints([numKeyValueHeads, group, headDim])])
  const past = (kind: 'key' | 'value') =>
    graph.input(pastInput(kind, layer, 0), 'float32', ['past', numKeyValueHeads, headDim])
  // `transBatchB` reads [past, heads, headDim] as [heads, past, headDim], without a copy
  const scores = product(graph, queries, past('key'), { transBatchB: 1, transB: 1 })
  const weights = graph.op('Softmax', [scores], { attributes: { axis: -1 } })
  const attended = add(graph, queries, product(graph, weights, past('value'), { transBatchB: 1 }))
  return graph.op('Reshape', [attended, graph.ints([numKeyValueHeads * group, headDim])])
}

function product(graph: GraphBuilder, a: Value, b: Value, flags: Readonly<Record<string, number>>): Value {
  return graph.op('FusedMatMul', [a, b], {
    domain: 'com.microsoft',
    attributes: { ...flags, alpha: float(attentionShape.headDim ** -0.5) },
  })
}

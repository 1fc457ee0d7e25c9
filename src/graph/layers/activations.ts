import type { GraphBuilder, Value } from '../graph-builder.js'
import { mul } from '../ops.js'

/** Exact GELU: x * Φ(x), through the error function. */
export function gelu(graph: GraphBuilder, x: Value): Value {
  return graph.op('Gelu', [x], { attributes: { approximate: 'none' } })
}

/** SiLU: x * sigmoid(x). */
export function silu(graph: GraphBuilder, x: Value): Value {
  return mul(graph, x, graph.op('Sigmoid', [x]))
}

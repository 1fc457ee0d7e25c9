import type { GraphBuilder, Value } from './graph-builder.js'

/** Sizes of a reshape: a number, or -1 for what is left. */
export function reshape(graph: GraphBuilder, x: Value, dims: readonly number[] | Value): Value {
  return graph.op('Reshape', [x, 'name' in dims ? dims : graph.ints(dims)])
}

export function transpose(graph: GraphBuilder, x: Value, perm: readonly number[]): Value {
  return graph.op('Transpose', [x], { attributes: { perm } })
}

export function add(graph: GraphBuilder, a: Value, b: Value): Value {
  return graph.op('Add', [a, b])
}

export function mul(graph: GraphBuilder, a: Value, b: Value): Value {
  return graph.op('Mul', [a, b])
}

export function concat(graph: GraphBuilder, values: readonly Value[], axis: number): Value {
  return values.length === 1 ? values[0]! : graph.op('Concat', values, { attributes: { axis } })
}

/** Elements [start, end) of one axis. */
export function slice(
  graph: GraphBuilder,
  x: Value,
  start: Value | number,
  end: Value | number,
  axis: number,
): Value {
  const index = (at: Value | number) => (typeof at === 'number' ? graph.ints([at]) : at)
  return graph.op('Slice', [x, index(start), index(end), graph.ints([axis])])
}

/** Cut one axis into equal parts. */
export function split(graph: GraphBuilder, x: Value, numParts: number, axis: number): Value[] {
  if (numParts === 1) return [x]
  return graph.ops('Split', [x], numParts, { attributes: { axis, num_outputs: numParts } })
}

/** int64 [end - start]: the sizes of the axes [start, end) at run time. */
export function shapeOf(graph: GraphBuilder, x: Value, start: number, end: number): Value {
  return graph.op('Shape', [x], { attributes: { start, end } })
}

import type { StageName } from './stage-dtypes.js'

/** The graphs of a model. `crossKeys` is there in models with cross-attention only, and counts as part of the decoder. */
export type GraphName = StageName | 'crossKeys'

/** A graph as it lies in a prepared folder. */
interface GraphPart {
  /** Begins the names of its files. */
  readonly fileName: string
  /** The stage whose dtype its weights have. */
  readonly stage: StageName
}

/** In the order in which graphs are written, laid out and loaded. */
export const graphParts: Readonly<Record<GraphName, GraphPart>> = {
  vision: { fileName: 'vision', stage: 'vision' },
  projector: { fileName: 'projector', stage: 'projector' },
  decoder: { fileName: 'decoder', stage: 'decoder' },
  // data files of its own: an engine may read the files that a graph names whole
  crossKeys: { fileName: 'cross-keys', stage: 'decoder' },
}

/** The keys of `graphParts`, in their order. */
export const graphNames = Object.keys(graphParts) as readonly GraphName[]

/** Something for each graph. */
export function forEachGraph<Part>(make: (name: GraphName) => Part): Record<GraphName, Part> {
  return {
    vision: make('vision'),
    projector: make('projector'),
    decoder: make('decoder'),
    crossKeys: make('crossKeys'),
  }
}

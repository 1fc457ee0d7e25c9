import type { Session, SessionTensor } from '../backend/backend.js'
import { type FloatMemory, type Floats, hostMemory } from '../backend/device-memory.js'
import { assertFinite } from '../core/assert-finite.js'
import { type CrossRows, crossRows, type RowSpan } from './cross-images.js'
import type { CrossImage } from './decoder-state.js'
import type { EmbeddingTable } from './embedding-table.js'

/** What the pictures of all sequences of one decoder share. */
export interface CrossParts {
  /** The cross-keys graph. */
  readonly session: Session
  readonly embeddings: EmbeddingTable
  readonly shape: CrossShape
}

/** Sizes of the keys and values. */
export interface CrossShape {
  /** Layers with cross-attention. */
  readonly layers: readonly number[]
  readonly numKeyValueHeads: number
  readonly headDim: number
  readonly hiddenSize: number
}

/** Names of the keys and values, as outputs of the cross-keys graph and inputs of the decoder's. */
export function crossNames(layers: readonly number[]): readonly string[] {
  return layers.flatMap(layer => [`crossKey.${layer}`, `crossValue.${layer}`])
}

/** Additive mask value: exp gives exactly 0, and sums stay finite. */
const MASKED = -1e30

/**
 * The pictures that a sequence looks at by cross-attention: their keys and values, computed once a picture, and which token
 * sees which of their rows.
 *
 * Keys and values lie in the memory of the device where sessions have such: then they never come to JavaScript.
 */
export class CrossMemory {
  /** Keys and values of all pictures behind each other, until the next change. */
  private joined: JoinedImages | undefined

  /** @param images - in order of appearance; owned from now on */
  constructor(
    private readonly parts: CrossParts,
    private images: readonly HeldImage[] = [],
  ) {}

  /** Memory of the keys and values. Sequences that were forked from one another share what they have in common. */
  get byteLength(): number {
    const { layers, numKeyValueHeads, headDim } = this.parts.shape
    const rowBytes = layers.length * 2 * numKeyValueHeads * headDim * Float32Array.BYTES_PER_ELEMENT
    return this.numRows * rowBytes * (this.joined?.isCopy ? 2 : 1)
  }

  /**
   * Compute the keys and values of pictures.
   *
   * @param firstPlace - place of the token that the pictures' own places count from
   * @param signal - looked at between pictures
   */
  async add(images: readonly CrossImage[], firstPlace: number, signal?: AbortSignal): Promise<void> {
    for (const image of images) {
      signal?.throwIfAborted()
      const rows = await crossRows(image, this.parts.embeddings)
      const values = await this.compute(rows)
      this.change([...this.images, new HeldImage(values, rows, image, firstPlace)])
    }
  }

  /** Inputs of the decoder graph for the tokens [place, place + length): valid until the pictures change. */
  feeds(place: number, length: number): Record<string, SessionTensor> {
    this.joined ??= this.join()
    const numRows = Math.max(1, this.numRows)
    const mask = new Float32Array(length * numRows).fill(MASKED)
    const sight = new Float32Array(length)
    for (let token = 0; token < length; token++) {
      for (const { first, count } of this.visibleRows(place + token)) {
        mask.fill(0, token * numRows + first, token * numRows + first + count)
        sight[token] = 1
      }
    }
    return {
      ...this.joined.feeds,
      crossMask: { type: 'float32', data: mask, dims: [length, numRows] },
      crossSight: { type: 'float32', data: sight, dims: [length, 1] },
    }
  }

  /** Forget the pictures that no token before `length` sees whole. */
  truncate(length: number): void {
    const kept = this.images.filter(({ visibleFrom }) => visibleFrom < length)
    if (kept.length === this.images.length) return
    for (const image of this.images) if (!kept.includes(image)) image.release()
    this.change(kept)
  }

  /** A memory of its own with the pictures that a token before `length` sees whole. */
  fork(length: number): CrossMemory {
    const shared = this.images.filter(({ visibleFrom }) => visibleFrom < length)
    for (const image of shared) image.retain()
    return new CrossMemory(this.parts, shared)
  }

  dispose(): void {
    for (const image of this.images) image.release()
    this.change([])
  }

  private get memory(): FloatMemory {
    return this.parts.session.memory ?? hostMemory
  }

  private get numRows(): number {
    return this.images.reduce((sum, { numRows }) => sum + numRows, 0)
  }

  private change(images: readonly HeldImage[]): void {
    this.images = images
    this.joined?.release()
    this.joined = undefined
  }

  /** Rows that the token at a place sees, counted over all pictures. */
  private visibleRows(place: number): readonly RowSpan[] {
    const visible: RowSpan[] = []
    let first = 0
    for (const { numRows, visibleFrom, tags } of this.images) {
      const tag = tags.find(({ start, end }) => start <= place && place < end)
      if (tag !== undefined) return [{ first: first + tag.rows.first, count: tag.rows.count }]
      if (visibleFrom <= place) visible.push({ first, count: numRows })
      first += numRows
    }
    return visible
  }

  /** By name: float32 [keyValueHeads, rows, headDim]. */
  private async compute({ data }: CrossRows): Promise<ReadonlyMap<string, Floats>> {
    const { session, shape } = this.parts
    const dims = [data.length / shape.hiddenSize, shape.hiddenSize]
    const outputs = await session.run({ crossEmbeds: { type: 'float32', data, dims } })
    return new Map(
      crossNames(shape.layers).map(name => {
        const values = outputs[name]!.data as Floats
        // on a device the logits tell
        if (values instanceof Float32Array) assertFinite(values, `decoder: ${name} of a picture`)
        return [name, values]
      }),
    )
  }

  /** Without a picture one row of zeros, which no token sees: engines may refuse tensors without elements. */
  private join(): JoinedImages {
    const { layers, numKeyValueHeads, headDim } = this.parts.shape
    const numRows = Math.max(1, this.numRows)
    const dims = [numKeyValueHeads, numRows, headDim]
    const length = numKeyValueHeads * numRows * headDim
    const [only, ...others] = this.images
    const isCopy = others.length > 0
    const blocks = crossNames(layers).map((name): readonly [string, Floats] => {
      if (only === undefined) return [name, new Float32Array(length)]
      return [name, isCopy ? this.joinOne(name, length) : only.values.get(name)!]
    })
    return {
      feeds: Object.fromEntries(blocks.map(([name, data]) => [name, { type: 'float32', data, dims }])),
      isCopy,
      release: () => {
        if (isCopy) for (const [, block] of blocks) this.memory.release(block)
      },
    }
  }

  private joinOne(name: string, length: number): Floats {
    const { numKeyValueHeads, headDim } = this.parts.shape
    const to = this.memory.allocate(length)
    const copies = Array.from({ length: numKeyValueHeads }, (_, head) => {
      let toStart = (head * length) / numKeyValueHeads
      return this.images.map(({ values, numRows }) => {
        const size = numRows * headDim
        const copy = { from: values.get(name)!, fromStart: head * size, to, toStart, length: size }
        toStart += size
        return copy
      })
    })
    this.memory.copy(copies.flat())
    return to
  }
}

/** Keys and values as inputs of the graph. */
interface JoinedImages {
  readonly feeds: Readonly<Record<string, SessionTensor>>
  /** Are they copies, or those of the one picture? */
  readonly isCopy: boolean
  release(): void
}

/** A picture whose keys and values are there, shared by the sequences that see it. */
class HeldImage {
  readonly numRows: number
  /** Place in the sequence from which on tokens see all of it. */
  readonly visibleFrom: number
  /** Places [start, end) that see these rows only. */
  readonly tags: readonly { readonly start: number; readonly end: number; readonly rows: RowSpan }[]
  private numUsers = 1

  /** @param values - by name; owned from now on */
  constructor(
    readonly values: ReadonlyMap<string, Floats>,
    { tiles }: CrossRows,
    image: CrossImage,
    firstPlace: number,
  ) {
    this.numRows = tiles.reduce((sum, { count }) => sum + count, 0)
    this.visibleFrom = firstPlace + image.visibleFrom
    this.tags = image.tags.map(({ start, end, tile }) => ({
      start: firstPlace + start,
      end: firstPlace + end,
      rows: tiles[tile]!,
    }))
  }

  retain(): void {
    this.numUsers++
  }

  release(): void {
    if (--this.numUsers > 0) return
    for (const block of this.values.values()) if ('release' in block) block.release()
  }
}

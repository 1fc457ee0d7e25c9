import { bytesPerElement } from '../core/dtypes.js'
import { invariant } from '../core/errors.js'
import { numElements } from '../core/tensor.js'
import { BLOCK_SIZE, blockRowBytes, isBlockDType } from '../formats/blocks/block-format.js'
import type { TensorInfo } from '../formats/safetensors.js'
import type {
  BlockPlace,
  FloatPlace,
  GraphCompute,
  RowRange,
  WeightPart,
  WeightPlace,
  WeightSource,
} from '../graph/weight-source.js'
import { type StageDtype, stageFormats } from './stage-dtypes.js'

/** Data files stay below 2 GB, which is what browsers can take in one piece. */
export const MAX_DATA_FILE_BYTES = 2_000_000_000

/** Every array starts at a multiple of this; a cache line, and enough for any element type. */
const ALIGNMENT = 64

/** One part of a tensor that is to be converted and written. */
export interface ConversionStep {
  readonly tensor: TensorInfo
  readonly rows: RowRange
  /** Columns of the stored tensor; the first `place.columns` are written. */
  readonly storedColumns: number
  readonly place: WeightPlace
}

/** A data file: its name and, when all is laid out, its size. */
export interface DataFilePlan {
  readonly name: string
  bytes: number
}

/**
 * Decides where the weights of one stage lie in a prepared folder. The graph is built on its source, and what it asks for
 * is laid out in that order: what is written is exactly what the graph reads.
 */
export class WeightLayout {
  readonly steps: ConversionStep[] = []
  readonly files: DataFilePlan[] = []
  private readonly placed = new Map<string, readonly WeightPlace[]>()

  /** @param stage - begins the names of the files */
  constructor(
    private readonly stage: string,
    private readonly tensors: ReadonlyMap<string, TensorInfo>,
    private readonly maxFileBytes = MAX_DATA_FILE_BYTES,
  ) {}

  /** Bytes of all data files. */
  get totalBytes(): number {
    return this.files.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** The weights for the graph, stored as `dtype` says. */
  source(dtype: StageDtype, blockInput: GraphCompute['blockInput']): WeightSource {
    const formats = stageFormats[dtype]
    return {
      compute: { linear: formats.computesIn, blockInput },
      stored: name => this.tensors.get(name),
      place: (name, part) => this.place(name, part, part.use === 'plain' ? undefined : formats[part.use]),
    }
  }

  /**
   * Lay a part of a tensor out, once.
   *
   * @param dtype - what it is stored as; undefined: as in the checkpoint
   */
  place(name: string, part: WeightPart, dtype: WeightPlace['dtype'] | undefined): readonly WeightPlace[] {
    const tensor = this.tensors.get(name)
    invariant(tensor, `tensor ${name} was found before it is laid out`)
    // a matrix in blocks stays as it is, whatever is wanted
    const format = tensor.packed ? 'q4' : (dtype ?? (tensor.dtype as FloatPlace['dtype']))
    const blockSize = tensor.packed?.groupSize
    const { rows, columns } = part
    const key = `${name} ${rows.first} ${rows.count} ${columns} ${format}`
    const known = this.placed.get(key)
    if (known !== undefined) return known
    const storedColumns = numElements(tensor.shape.slice(1))
    const maxRows = tensor.packed
      ? rows.count
      : Math.max(1, Math.floor((this.maxFileBytes - 3 * ALIGNMENT) / rowBytesOf(format, columns, blockSize)))
    const places: WeightPlace[] = []
    for (let done = 0; done < rows.count; done += maxRows) {
      const count = Math.min(maxRows, rows.count - done)
      const place = this.allocate(format, count, columns, blockSize)
      places.push(place)
      this.steps.push({ tensor, rows: { first: rows.first + done, count }, storedColumns, place })
    }
    this.placed.set(key, places)
    return places
  }

  private allocate(
    dtype: WeightPlace['dtype'],
    rows: number,
    columns: number,
    blockSize = BLOCK_SIZE,
  ): WeightPlace {
    if (!isBlockDType(dtype)) {
      const byteLength = rows * columns * bytesPerElement[dtype]
      const { file, offsets } = this.reserve([byteLength])
      return { dtype, file, offset: offsets[0]!, rows, columns } satisfies FloatPlace
    }
    const bytes = blockRowBytes(dtype, columns, blockSize)
    const lengths = [bytes.codes, bytes.scales, bytes.zeroPoints].filter(length => length > 0)
    const { file, offsets } = this.reserve(lengths.map(length => length * rows))
    const [offset, scalesOffset, zeroPointsOffset] = offsets
    return {
      dtype,
      blockSize,
      file,
      offset: offset!,
      scalesOffset: scalesOffset!,
      zeroPointsOffset,
      rows,
      columns,
    } satisfies BlockPlace
  }

  /** Room for arrays behind each other, all in one file. */
  private reserve(lengths: readonly number[]): {
    readonly file: string
    readonly offsets: readonly number[]
  } {
    const total = lengths.reduce((sum, length) => sum + alignUp(length), 0)
    let file = this.files.at(-1)
    if (file === undefined || alignUp(file.bytes) + total > this.maxFileBytes) {
      file = { name: `${this.stage}-${String(this.files.length + 1).padStart(5, '0')}.bin`, bytes: 0 }
      this.files.push(file)
    }
    const offsets: number[] = []
    for (const length of lengths) {
      const offset = alignUp(file.bytes)
      offsets.push(offset)
      file.bytes = offset + length
    }
    return { file: file.name, offsets }
  }
}

/** Bytes of one stored row, all its arrays together. */
export function rowBytesOf(dtype: WeightPlace['dtype'], columns: number, blockSize = BLOCK_SIZE): number {
  if (!isBlockDType(dtype)) return columns * bytesPerElement[dtype]
  const bytes = blockRowBytes(dtype, columns, blockSize)
  return bytes.codes + bytes.scales + bytes.zeroPoints
}

function alignUp(offset: number): number {
  return Math.ceil(offset / ALIGNMENT) * ALIGNMENT
}

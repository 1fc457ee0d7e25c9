import { growMemory, instantiateWasmText, type WasmMemory } from '../../core/wasm-text.js'
import { BLOCK_SIZE, type BlockDType, blockFormats, blockRowBytes, isBlockDType } from './block-format.js'
import { convertRowsWasm } from './convert-rows-wasm.js'
import type { Rounding } from './rounding.js'

/** Element types of stored floats, with their number in the WebAssembly code and their bytes. */
const floats = {
  F32: { id: 0, bytes: 4 },
  BF16: { id: 1, bytes: 2 },
  F16: { id: 2, bytes: 2 },
} as const

export type RowFloat = keyof typeof floats

/** Some whole rows of a stored matrix, and what they are to become. */
export interface RowsTask {
  readonly from: RowFloat
  readonly to: RowFloat | BlockDType
  readonly rows: number
  readonly storedColumns: number
  /** Columns to keep, from the first. */
  readonly columns: number
  readonly rounding: Rounding
}

/** What `assembly/convert-rows.ts` exports. */
interface Kernels {
  readonly memory: WasmMemory
  widenRow(from: number, source: number, target: number, columns: number): number
  narrowRow(to: number, values: number, target: number, columns: number): number
  quantizeRow4(
    values: number,
    numBlocks: number,
    steps: number,
    numSteps: number,
    fitsScale: boolean,
    codes: number,
    scales: number,
    zeroPoints: number,
  ): void
  quantizeRow8(
    values: number,
    numBlocks: number,
    blockBytes: number,
    steps: number,
    fitsScale: boolean,
    codes: number,
    scales: number,
  ): void
}

/** Below are the variables of the code itself. */
const FIRST_BYTE = 4096

/** The code reads and writes whole vectors, beyond the last element. */
const SLACK = 64

/**
 * Converts rows of weights from one stored form to another, with the SIMD instructions of WebAssembly.
 *
 * The same weights give the same bytes on every machine: all arithmetic is IEEE's, in a fixed order.
 */
export class RowConverter {
  private constructor(private readonly kernels: Kernels) {}

  static async create(): Promise<RowConverter> {
    return new RowConverter((await instantiateWasmText(convertRowsWasm)) as Kernels)
  }

  /**
   * Where the stored rows of a task belong before it is converted: little-endian floats [rows, storedColumns]. It is a part
   * of WebAssembly's memory, and so are the results: what is read is not copied before it is written. Valid until `room` is
   * called for another task.
   */
  room(task: RowsTask): Uint8Array<ArrayBuffer> {
    const { source, end } = layOut(task)
    growMemory(this.kernels.memory, end)
    return this.view(source, storedBytes(task))
  }

  /**
   * Convert the rows that are in the room of this task.
   *
   * @returns the arrays of the rows, in their order: floats; or codes, float32 scales and, for a format that has them, zero
   * points; valid as long as the room is. Undefined if a value is not finite, or too large for float16.
   */
  convert(task: RowsTask): readonly Uint8Array<ArrayBuffer>[] | undefined {
    return isBlockDType(task.to) ? this.toBlocks(task, task.to) : this.toFloats(task, task.to)
  }

  private toFloats(task: RowsTask, to: RowFloat): readonly Uint8Array<ArrayBuffer>[] | undefined {
    const { rows, columns } = task
    const rowBytes = columns * floats[to].bytes
    const { source, values, arrays } = layOut(task)
    const target = arrays[0]!
    const { widenRow, narrowRow } = this.kernels
    const from = floats[task.from]
    for (let row = 0; row < rows; row++) {
      const start = source + row * task.storedColumns * from.bytes
      const out = target + row * rowBytes
      if (widenRow(from.id, start, to === 'F32' ? out : values, columns)) return undefined
      if (to !== 'F32' && narrowRow(floats[to].id, values, out, columns)) return undefined
    }
    return [this.view(target, rows * rowBytes)]
  }

  private toBlocks(task: RowsTask, to: BlockDType): readonly Uint8Array<ArrayBuffer>[] | undefined {
    const { rows, columns, rounding } = task
    const bytes = blockRowBytes(to, columns)
    const { source, values, arrays, steps: stepsPlace } = layOut(task)
    const [codes, scales, zeroPoints] = arrays
    const steps = Float64Array.from(rounding.steps[to])
    this.view(stepsPlace, steps.byteLength).set(new Uint8Array(steps.buffer))
    const { widenRow, quantizeRow4, quantizeRow8 } = this.kernels
    const { numBlocks } = bytes
    const blockBytes = (widenedColumns(columns) / (blockFormats[to].isRowWise ? 1 : numBlocks)) * 4
    const from = floats[task.from]
    for (let row = 0; row < rows; row++) {
      const start = source + row * task.storedColumns * from.bytes
      if (widenRow(from.id, start, values, columns)) return undefined
      const rowCodes = codes! + row * bytes.codes
      const rowScales = scales! + row * bytes.scales
      if (blockFormats[to].bits === 8) {
        quantizeRow8(values, numBlocks, blockBytes, steps[0]!, rounding.fitsScale, rowCodes, rowScales)
      } else {
        const rowZeros = zeroPoints! + row * bytes.zeroPoints
        const grid = [stepsPlace, steps.length, rounding.fitsScale] as const
        quantizeRow4(values, numBlocks, ...grid, rowCodes, rowScales, rowZeros)
      }
    }
    const outputs = arrayBytes(task).map((length, index) => this.view(arrays[index]!, length))
    return outputs.filter(({ byteLength }) => byteLength > 0)
  }

  private view(place: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.kernels.memory.buffer, place, length)
  }
}

/** Where things lie in the memory, in bytes. */
interface RowsLayout {
  readonly source: number
  /** One widened row. */
  readonly values: number
  /** The results. */
  readonly arrays: readonly number[]
  /** The grid that a rounding tries. */
  readonly steps: number
  readonly end: number
}

function layOut(task: RowsTask): RowsLayout {
  const { to, rounding, columns } = task
  const lengths = arrayBytes(task)
  const stepBytes = isBlockDType(to) ? rounding.steps[to].length * Float64Array.BYTES_PER_ELEMENT : 0
  const places: number[] = []
  let end = FIRST_BYTE
  for (const length of [storedBytes(task), widenedColumns(columns) * 4, stepBytes, ...lengths]) {
    places.push(end)
    end = Math.ceil((end + length + SLACK) / SLACK) * SLACK
  }
  const [source, values, steps, ...arrays] = places as [number, number, number, ...number[]]
  return { source, values, steps, arrays, end }
}

function storedBytes({ rows, storedColumns, from }: RowsTask): number {
  return rows * storedColumns * floats[from].bytes
}

/** Bytes of the results; of zero points 0 if the format has none. */
function arrayBytes({ to, rows, columns }: RowsTask): readonly number[] {
  if (!isBlockDType(to)) return [rows * columns * floats[to].bytes]
  const bytes = blockRowBytes(to, columns)
  return [bytes.codes, bytes.scales, bytes.zeroPoints].map(length => length * rows)
}

/** A widened row has whole blocks. */
function widenedColumns(columns: number): number {
  return Math.ceil(columns / BLOCK_SIZE) * BLOCK_SIZE
}

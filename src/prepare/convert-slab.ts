import { bfloat16ToFloat32 } from '../core/bfloat16.js'
import { invariant, NVLMError } from '../core/errors.js'
import { float16ToFloat32 } from '../core/float16.js'
import { type RoundingName, roundings } from '../formats/blocks/rounding.js'
import { RowConverter } from '../formats/blocks/row-converter.js'
import type { FloatPlace, WeightPlace } from '../graph/weight-source.js'
import type { FilePart } from '../platform/platform.js'

/** Some whole rows of a stored matrix, and what they are to become. */
export interface SlabTask {
  /** For messages. */
  readonly name: string
  /** Where little-endian floats [rows, storedColumns] begin. */
  readonly source: FilePart
  readonly from: FloatPlace['dtype']
  readonly to: WeightPlace['dtype']
  readonly rows: number
  readonly storedColumns: number
  /** Columns to keep, from the first. */
  readonly columns: number
  readonly rounding: RoundingName
  /** Where each array of the converted rows goes: floats, or codes, scales and zero points. */
  readonly targets: readonly FilePart[]
}

/** Converts slabs, here or on other threads: reads the rows, and writes what they become. */
export interface SlabConverter {
  /** Slabs that it takes at a time, at most. */
  readonly concurrency: number
  convert(task: SlabTask): Promise<void>
  close(): Promise<void>
}

/** Reads and writes for a converter. */
export interface SlabFiles {
  read(part: FilePart, length: number): Promise<Uint8Array>
  write(part: FilePart, bytes: Uint8Array): Promise<void>
}

/** Converts in the calling thread. */
export function directConverter(files: SlabFiles): SlabConverter {
  const rows = RowConverter.create()
  return {
    concurrency: 1,
    async convert(task) {
      const slab = new SlabRows(await rows, task)
      slab.room.set(await files.read(task.source, slab.room.byteLength))
      for (const [index, bytes] of slab.convert().entries()) await files.write(task.targets[index]!, bytes)
    },
    close: async () => {},
  }
}

/** The rows of one task, in the memory of a converter, which takes one task at a time. */
export class SlabRows {
  /** Where the stored rows belong, before `convert`. */
  readonly room: Uint8Array<ArrayBuffer>

  constructor(
    private readonly converter: RowConverter,
    private readonly task: SlabTask,
  ) {
    this.room = converter.room({ ...task, rounding: roundings[task.rounding] })
  }

  /**
   * Convert the rows. The result depends on nothing but them and the task.
   *
   * @returns the array for each target
   * @throws {NVLMError} NUMERIC if a weight is not finite, or does not fit the format
   */
  convert(): readonly Uint8Array<ArrayBuffer>[] {
    const { task } = this
    if (task.to === task.from && task.columns === task.storedColumns) return [this.room]
    const arrays = this.converter.convert({ ...task, rounding: roundings[task.rounding] })
    if (arrays !== undefined) return arrays
    throw describeRefusal(task, this.room)
  }
}

const LARGEST_HALF = 65504

/** Names the weight that a converter did not take. */
function describeRefusal(
  { name, from, to, rows, storedColumns, columns }: SlabTask,
  bytes: Uint8Array<ArrayBuffer>,
): NVLMError {
  const values = toFloat32(bytes, from)
  const largest = to === 'F16' ? LARGEST_HALF : Number.MAX_VALUE
  const refused = values.find((value, index) => {
    return index % storedColumns < columns && !(Math.abs(value) <= largest)
  })
  invariant(refused !== undefined, `one of the ${rows} rows of ${name} has a weight that does not fit`)
  const isNumber = Number.isFinite(refused)
  return new NVLMError(
    'NUMERIC',
    `tensor "${name}" holds ${refused}, ${isNumber ? `float16 ends at ${LARGEST_HALF}` : 'which is not finite'}`,
    {
      hint: isNumber
        ? 'Choose bf16, q8 or q4 for this stage.'
        : 'The weights are damaged: download them again.',
    },
  )
}

function toFloat32(bytes: Uint8Array<ArrayBuffer>, from: FloatPlace['dtype']): Float32Array {
  const { buffer, byteOffset, byteLength } = bytes
  if (from === 'F32') return new Float32Array(buffer, byteOffset, byteLength / 4)
  const codes = new Uint16Array(buffer, byteOffset, byteLength / 2)
  return from === 'BF16' ? bfloat16ToFloat32(codes) : float16ToFloat32(codes)
}

import { bytesPerElement } from '../core/dtypes.js'
import { invariant } from '../core/errors.js'
import { blockRowBytes } from '../formats/blocks/block-format.js'
import type { RoundingName } from '../formats/blocks/rounding.js'
import type { PackedMatrix } from '../formats/packed-matrix.js'
import { repackMatrix } from '../formats/repack-matrix.js'
import type { TensorInfo } from '../formats/safetensors.js'
import type { FloatPlace, WeightPlace } from '../graph/weight-source.js'
import type { DataFileWriter, Files, FolderWriter, RandomAccessFile } from '../platform/platform.js'
import type { ConvertedSlab, SlabConverter } from './convert-slab.js'
import type { ConversionStep, DataFilePlan } from './weight-layout.js'

/** Weights converted at a time by one thread. A slab is whole rows, so it may be larger if a row is. */
const SLAB_WEIGHTS = 2 << 20

/** Bytes written between two entries of the journal; about twice as many are what a killed run may have to do again. */
const JOURNAL_BYTES = 256 << 20

/** What the data files of a prepared folder are made from. */
export interface WeightWriting {
  readonly files: Files
  readonly writer: FolderWriter
  readonly converter: SlabConverter
  readonly rounding: RoundingName
  readonly steps: readonly ConversionStep[]
  readonly dataFiles: readonly DataFilePlan[]
  /** Steps that an earlier run finished. */
  readonly finished: ReadonlySet<number>
  readonly signal?: AbortSignal | undefined
  /** Default JOURNAL_BYTES. */
  readonly journalBytes?: number | undefined
  /** Called with the bytes of checkpoint weights that are done. */
  readonly onProgress: (doneBytes: number) => void
}

/** A finished data file. */
export interface WrittenFile {
  readonly file: string
  readonly bytes: number
  readonly sha256: string
}

/**
 * Write the data files: rows are read, converted and written slab by slab, some of them at the same time.
 *
 * Memory: about 24 bytes a weight of the slabs under way, whatever the size of the checkpoint.
 */
export async function writeWeights(writing: WeightWriting): Promise<readonly WrittenFile[]> {
  const run = new WeightWriterRun(writing)
  try {
    return await run.run()
  } finally {
    await run.close()
  }
}

/** Some rows of a step. */
interface Slab {
  readonly index: number
  readonly step: ConversionStep
  /** First row, counted within the step. */
  readonly first: number
  readonly rows: number
}

class WeightWriterRun {
  private readonly targets = new Map<string, DataFileWriter>()
  private readonly sources = new Map<string, Promise<RandomAccessFile>>()
  private readonly pending = new Map<number, number>()
  private unsaved: number[] = []
  private unsavedBytes = 0
  private saving: Promise<void> | undefined
  private failure: unknown
  private doneBytes = 0

  constructor(private readonly writing: WeightWriting) {}

  async run(): Promise<readonly WrittenFile[]> {
    const { steps, dataFiles, finished, writer } = this.writing
    for (const { name, bytes } of dataFiles) this.targets.set(name, await writer.openData(name, bytes))
    for (const index of finished) this.doneBytes += bytesOfStep(steps[index]!)
    await forEachConcurrently(this.slabs(), this.writing.converter.concurrency + 1, slab => this.write(slab))
    await this.saving
    this.throwFailure()
    await this.save()
    const written: WrittenFile[] = []
    for (const { name, bytes } of dataFiles) {
      this.writing.signal?.throwIfAborted()
      written.push({ file: name, bytes, sha256: await this.targets.get(name)!.finish() })
    }
    return written
  }

  async close(): Promise<void> {
    await this.saving
    // what was finished when the run was stopped is kept; why it was stopped matters more than whether that succeeds
    if (this.failure === undefined) await this.save().catch(() => {})
    for (const target of this.targets.values()) await target.close()
    for (const source of this.sources.values()) await source.then(file => file.close()).catch(() => {})
  }

  private *slabs(): Iterable<Slab> {
    const { steps, finished } = this.writing
    for (const [index, step] of steps.entries()) {
      if (finished.has(index)) continue
      const rowsOfSlab = Math.max(1, Math.floor(SLAB_WEIGHTS / Math.max(1, step.storedColumns)))
      const maxRows = step.tensor.packed ? step.rows.count : rowsOfSlab
      this.pending.set(index, Math.ceil(step.rows.count / maxRows))
      for (let first = 0; first < step.rows.count; first += maxRows) {
        yield { index, step, first, rows: Math.min(maxRows, step.rows.count - first) }
      }
    }
  }

  private async write(slab: Slab): Promise<void> {
    const { signal, onProgress } = this.writing
    signal?.throwIfAborted()
    this.throwFailure()
    const { step, first } = slab
    const { tensor, place } = step
    const arrays = tensor.packed ? await this.repack(tensor.packed) : await this.convert(slab)
    const target = this.targets.get(place.file)!
    for (const [index, { offset, rowBytes }] of arraysOf(place).entries()) {
      await target.write(offset + first * rowBytes, arrays[index]!)
    }
    this.doneBytes += bytesOfRows(step, slab.rows)
    onProgress(this.doneBytes)
    this.countDown(slab)
  }

  /** All of a matrix that is in blocks already. */
  private async repack(packed: PackedMatrix): Promise<ConvertedSlab> {
    const read = async (tensor: TensorInfo) =>
      (await this.source(tensor.file)).read(tensor.offset, tensor.byteLength)
    return repackMatrix(packed, {
      codes: await read(packed.codes),
      scales: await read(packed.scales),
      zeroPoints: packed.zeroPoints && (await read(packed.zeroPoints)),
    })
  }

  private async convert({ step, first, rows }: Slab): Promise<ConvertedSlab> {
    const { converter, rounding } = this.writing
    const { tensor, storedColumns, place } = step
    const from = tensor.dtype as FloatPlace['dtype']
    const rowBytes = storedColumns * bytesPerElement[from]
    const source = await this.source(tensor.file)
    const start = tensor.offset + (step.rows.first + first) * rowBytes
    const bytes = (await source.read(start, rows * rowBytes)) as Uint8Array<ArrayBuffer>
    const isCopy = place.dtype === from && place.columns === storedColumns
    if (isCopy) return [bytes]
    return converter.convert({
      ...{ name: tensor.name, bytes, from, to: place.dtype, rows, storedColumns, rounding },
      columns: place.columns,
    })
  }

  private countDown({ index, step }: Slab): void {
    const left = this.pending.get(index)! - 1
    this.pending.set(index, left)
    if (left > 0) return
    this.unsaved.push(index)
    this.unsavedBytes += arraysOf(step.place).reduce(
      (sum, { rowBytes }) => sum + rowBytes * step.rows.count,
      0,
    )
    if (this.unsavedBytes >= (this.writing.journalBytes ?? JOURNAL_BYTES)) this.saveBehind()
  }

  /** Save while other slabs are converted: the disk is the slowest part, and would stop all others. */
  private saveBehind(): void {
    this.saving ??= this.save()
      .catch(error => {
        this.failure ??= error
      })
      .finally(() => {
        this.saving = undefined
      })
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw this.failure
  }

  private async save(): Promise<void> {
    if (this.unsaved.length === 0) return
    const steps = this.unsaved
    this.unsaved = []
    this.unsavedBytes = 0
    await this.writing.writer.record(steps)
  }

  private source(path: string): Promise<RandomAccessFile> {
    const known = this.sources.get(path)
    if (known !== undefined) return known
    const opened = this.writing.files.open(path)
    this.sources.set(path, opened)
    return opened
  }
}

/** Bytes that are read for a step. */
export function bytesOfStep(step: ConversionStep): number {
  return bytesOfRows(step, step.rows.count)
}

function bytesOfRows({ tensor, storedColumns }: ConversionStep, rows: number): number {
  return tensor.packed ? tensor.packed.codes.byteLength : rows * storedColumns * bytesPerElement[tensor.dtype]
}

/** The arrays of a place: where each begins and what a row takes. */
function arraysOf(place: WeightPlace): readonly { readonly offset: number; readonly rowBytes: number }[] {
  if (!('scalesOffset' in place)) {
    return [{ offset: place.offset, rowBytes: place.columns * bytesPerElement[place.dtype] }]
  }
  const bytes = blockRowBytes(place.dtype, place.columns, place.blockSize)
  const arrays = [
    { offset: place.offset, rowBytes: bytes.codes },
    { offset: place.scalesOffset, rowBytes: bytes.scales },
  ]
  if (bytes.zeroPoints === 0) return arrays
  invariant(place.zeroPointsOffset, 'a format with zero points has a place for them')
  return [...arrays, { offset: place.zeroPointsOffset, rowBytes: bytes.zeroPoints }]
}

/** After a failure nothing new is begun, and what runs is awaited. */
async function forEachConcurrently<Item>(
  items: Iterable<Item>,
  concurrency: number,
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const iterator = items[Symbol.iterator]()
  let failed = false
  const worker = async (): Promise<void> => {
    for (let next = iterator.next(); !next.done && !failed; next = iterator.next()) {
      await work(next.value).catch(error => {
        failed = true
        throw error
      })
    }
  }
  const results = await Promise.allSettled(Array.from({ length: concurrency }, worker))
  for (const { reason } of results.filter(result => result.status === 'rejected')) throw reason
}

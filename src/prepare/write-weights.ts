import { bytesPerElement } from '../core/dtypes.js'
import { invariant } from '../core/errors.js'
import { blockRowBytes } from '../formats/blocks/block-format.js'
import type { RoundingName } from '../formats/blocks/rounding.js'
import type { PackedMatrix } from '../formats/packed-matrix.js'
import { repackMatrix } from '../formats/repack-matrix.js'
import type { TensorInfo } from '../formats/safetensors.js'
import type { FloatPlace, WeightPlace } from '../graph/weight-source.js'
import type { DataFileWriter, Files, FolderWriter, RandomAccessFile } from '../platform/platform.js'
import { directConverter, type SlabConverter, type SlabFiles } from './convert-slab.js'
import type { ConversionStep, DataFilePlan } from './weight-layout.js'
import { WriteFrontier, type WrittenPart } from './write-frontier.js'

/** Weights converted at a time by one thread. A slab is whole rows, so it may be larger if a row is. */
const SLAB_WEIGHTS = 2 << 20

/** Bytes written between two entries of the journal; about twice as many are what a killed run may have to do again. */
const JOURNAL_BYTES = 512 << 20

/** What the data files of a prepared folder are made from. */
export interface WeightWriting {
  readonly files: Files
  readonly writer: FolderWriter
  /** Default: this thread converts. */
  readonly converter?: SlabConverter | undefined
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
 * Write the data files: rows are read, converted and written slab by slab, some of them at the same time. What is whole
 * is hashed meanwhile.
 *
 * Memory: about 12 bytes a weight of the slabs under way, whatever the size of the checkpoint.
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
  /** Where its arrays go. */
  readonly parts: readonly WrittenPart[]
}

class WeightWriterRun {
  private readonly slabs: readonly Slab[]
  private readonly frontier: WriteFrontier
  private readonly converter: SlabConverter
  private readonly targets = new Map<string, DataFileWriter>()
  private readonly sources = new Map<string, Promise<RandomAccessFile>>()
  private readonly pending = new Map<number, number>()
  private unsaved: number[] = []
  private unsavedBytes = 0
  private saving: Promise<void> | undefined
  private failure: unknown
  private doneBytes = 0

  constructor(private readonly writing: WeightWriting) {
    this.slabs = writing.steps.flatMap((step, index) =>
      writing.finished.has(index) ? [] : slabsOf(step, index),
    )
    for (const { index } of this.slabs) this.pending.set(index, (this.pending.get(index) ?? 0) + 1)
    const parts = this.slabs.flatMap(slab => slab.parts)
    this.frontier = new WriteFrontier(parts, (file, end) => this.targets.get(file)!.settle(end))
    this.converter = writing.converter ?? directConverter(this.filesForHere())
  }

  async run(): Promise<readonly WrittenFile[]> {
    const { steps, dataFiles, finished, writer } = this.writing
    for (const { name, bytes } of dataFiles) this.targets.set(name, await writer.openData(name, bytes))
    for (const index of finished) this.doneBytes += bytesOfStep(steps[index]!)
    await forEachConcurrently(this.slabs, this.converter.concurrency, slab => this.write(slab))
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

  private async write(slab: Slab): Promise<void> {
    const { signal, onProgress } = this.writing
    signal?.throwIfAborted()
    this.throwFailure()
    const { packed } = slab.step.tensor
    await (packed ? this.repack(packed, slab) : this.convert(slab))
    for (const part of slab.parts) this.frontier.add(part)
    this.doneBytes += bytesOfRows(slab.step, slab.rows)
    onProgress(this.doneBytes)
    this.countDown(slab)
  }

  /** All of a matrix that is in blocks already. */
  private async repack(packed: PackedMatrix, { parts }: Slab): Promise<void> {
    const read = async (tensor: TensorInfo) =>
      (await this.source(tensor.file)).read(tensor.offset, tensor.byteLength)
    const arrays = repackMatrix(packed, {
      codes: await read(packed.codes),
      scales: await read(packed.scales),
      zeroPoints: packed.zeroPoints && (await read(packed.zeroPoints)),
    })
    for (const [index, { file, offset }] of parts.entries()) {
      await this.targets.get(file)!.write(offset, arrays[index]!)
    }
  }

  private async convert({ step, first, rows, parts }: Slab): Promise<void> {
    const { tensor, storedColumns, place } = step
    const from = tensor.dtype as FloatPlace['dtype']
    const rowBytes = storedColumns * bytesPerElement[from]
    await this.converter.convert({
      ...{ name: tensor.name, from, to: place.dtype, rows, storedColumns, columns: place.columns },
      source: { path: tensor.file, offset: tensor.offset + (step.rows.first + first) * rowBytes },
      targets: parts.map(({ file, offset }) => ({ path: this.targets.get(file)!.path, offset })),
      rounding: this.writing.rounding,
    })
  }

  private filesForHere(): SlabFiles {
    return {
      read: async ({ path, offset }, length) => (await this.source(path)).read(offset, length),
      write: async ({ path, offset }, bytes) => {
        const target = [...this.targets.values()].find(one => one.path === path)
        invariant(target, `${path} is one of the data files`)
        await target.write(offset, bytes)
      },
    }
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

/** A slab is whole rows; a matrix that is in blocks already is one slab. */
function slabsOf(step: ConversionStep, index: number): readonly Slab[] {
  const { tensor, storedColumns, place } = step
  const rowsOfSlab = Math.max(1, Math.floor(SLAB_WEIGHTS / Math.max(1, storedColumns)))
  const maxRows = tensor.packed ? step.rows.count : rowsOfSlab
  const slabs: Slab[] = []
  for (let first = 0; first < step.rows.count; first += maxRows) {
    const parts = arraysOf(place).map(({ offset, rowBytes }) => ({
      file: place.file,
      offset: offset + first * rowBytes,
    }))
    slabs.push({ index, step, first, rows: Math.min(maxRows, step.rows.count - first), parts })
  }
  return slabs
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

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, readdirSync, readSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { prepareCheckpoint } from 'nvlm-ts'
import { roundings } from '../../src/formats/blocks/rounding.js'
import { RowConverter } from '../../src/formats/blocks/row-converter.js'

/** What is converted to. */
export const convertedDtypes = ['bf16', 'fp16', 'q8', 'q4'] as const

export type ConvertedDtype = (typeof convertedDtypes)[number]

/** Where the checkpoint is when a run begins: in the system's page cache, or on the disk only. */
export type CacheState = 'cached' | 'on disk'

/** Seconds of the rounds of one dtype. */
export interface ConvertTimes {
  readonly dtype: ConvertedDtype
  readonly state: CacheState
  readonly readBytes: number
  readonly writtenBytes: number
  readonly plainSeconds: number[]
  readonly convertSeconds: number[]
}

/** Where a conversion's time goes: rates of its parts, one thread each. */
export interface ConvertParts {
  /** ns of processor time a weight, from bfloat16. */
  readonly nsPerWeight: ReadonlyMap<ConvertedDtype | 'copy', number>
  /** Bytes a second. */
  readonly hashRate: number
  readonly cachedReadRate: number
  readonly writeRate: number
}

const PIECE_BYTES = 8 << 20

/**
 * Convert a checkpoint to each dtype, in turns with a plain copy: it reads the bytes that the conversion reads and
 * writes as many as the conversion writes, one piece after the other, and brings them to the disk.
 */
export async function benchConversions(
  checkpoint: string,
  folder: string,
  dtypes: readonly ConvertedDtype[],
  rounds: number,
  note: (line: string) => void,
): Promise<readonly ConvertTimes[]> {
  const sources = readdirSync(checkpoint)
    .filter(name => name.endsWith('.safetensors'))
    .map(name => join(checkpoint, name))
  const times: ConvertTimes[] = []
  for (const state of canDropCache(sources) ? (['cached', 'on disk'] as const) : (['cached'] as const)) {
    for (const dtype of dtypes) {
      const bytes = await convert(checkpoint, folder, dtype)
      const one: ConvertTimes = { dtype, state, ...bytes, plainSeconds: [], convertSeconds: [] }
      for (let round = 0; round < rounds; round++) {
        bringTo(state, sources)
        one.plainSeconds.push(copyPlainly(sources, join(folder, 'plain.bin'), bytes))
        bringTo(state, sources)
        one.convertSeconds.push((await convert(checkpoint, folder, dtype)).seconds)
      }
      note(
        `${dtype}, ${state}: plain ${one.plainSeconds.map(seconds)}, converted ${one.convertSeconds.map(seconds)}`,
      )
      times.push(one)
    }
  }
  return times
}

const seconds = (value: number) => `${value.toFixed(2)} s`

interface Converted {
  readonly readBytes: number
  readonly writtenBytes: number
  readonly seconds: number
}

async function convert(checkpoint: string, folder: string, dtype: ConvertedDtype): Promise<Converted> {
  const out = join(folder, 'converted')
  rmSync(out, { recursive: true, force: true })
  let readBytes = 0
  const started = performance.now()
  const { data } = await prepareCheckpoint(checkpoint, {
    out,
    dtype,
    onProgress: ({ step, total }) => {
      if (step === 'weights') readBytes = total
    },
  })
  const passed = (performance.now() - started) / 1000
  rmSync(out, { recursive: true })
  return { readBytes, writtenBytes: data.reduce((sum, { bytes }) => sum + bytes, 0), seconds: passed }
}

/** Seconds of a copy with one thread. */
function copyPlainly(
  sources: readonly string[],
  target: string,
  { readBytes, writtenBytes }: Omit<Converted, 'seconds'>,
): number {
  const piece = new Uint8Array(PIECE_BYTES)
  const started = performance.now()
  const out = openSync(target, 'w')
  let left = readBytes
  let owed = 0
  for (const source of sources) {
    const file = openSync(source, 'r')
    for (let got = 1; got > 0 && left > 0; ) {
      got = readSync(file, piece, 0, Math.min(PIECE_BYTES, left), null)
      left -= got
      for (owed += got * (writtenBytes / readBytes); owed >= 1; ) {
        owed -= writeSync(out, piece, 0, Math.min(PIECE_BYTES, Math.floor(owed)))
      }
    }
    closeSync(file)
  }
  fsyncSync(out)
  closeSync(out)
  const passed = (performance.now() - started) / 1000
  rmSync(target)
  return passed
}

/** Can files be taken out of the page cache? GNU's dd does it, on Linux. */
function canDropCache(files: readonly string[]): boolean {
  try {
    dropCache(files)
    return true
  } catch {
    return false
  }
}

function dropCache(files: readonly string[]): void {
  for (const file of files)
    execFileSync('dd', [`if=${file}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' })
}

function bringTo(state: CacheState, files: readonly string[]): void {
  if (state === 'on disk') {
    dropCache(files)
    return
  }
  const piece = new Uint8Array(PIECE_BYTES)
  for (const path of files) {
    const file = openSync(path, 'r')
    while (readSync(file, piece) > 0);
    closeSync(file)
  }
}

/** Time the parts of a conversion, each alone. */
export async function benchConvertParts(checkpoint: string, folder: string): Promise<ConvertParts> {
  const [rows, columns] = [1024, 2048]
  const bytes = bfloat16Weights(rows * columns)
  const converter = await RowConverter.create()
  const size = { rows, columns, storedColumns: columns, rounding: roundings.search }
  const formats = { bf16: 'BF16', fp16: 'F16', q8: 'q8', q4: 'q4' } as const
  const perWeight = (work: () => unknown) => processorSeconds(work) / ((rows * columns) / 1e9)
  const nsPerWeight = new Map<ConvertedDtype | 'copy', number>([['copy', perWeight(() => bytes.slice())]])
  for (const [dtype, to] of Object.entries(formats) as [ConvertedDtype, 'F16'][]) {
    if (dtype !== 'bf16')
      nsPerWeight.set(
        dtype,
        perWeight(() => {
          const task = { from: 'BF16', to, ...size } as const
          converter.room(task).set(bytes)
          return converter.convert(task)
        }),
      )
  }
  const source = readdirSync(checkpoint)
    .filter(name => name.endsWith('.safetensors'))
    .map(name => join(checkpoint, name))
    .sort((a, b) => statSync(b).size - statSync(a).size)[0]!
  bringTo('cached', [source])
  const fileBytes = statSync(source).size
  const readSeconds = wallSeconds(() => bringTo('cached', [source]))
  const writtenBytes = Math.min(fileBytes, 512 << 20)
  const target = join(folder, 'plain.bin')
  const written = wallSeconds(() => copyPlainly([source], target, { readBytes: writtenBytes, writtenBytes }))
  return {
    nsPerWeight,
    hashRate: bytes.byteLength / processorSeconds(() => createHash('sha256').update(bytes).digest()),
    cachedReadRate: fileBytes / readSeconds,
    writeRate: writtenBytes / (written - (readSeconds * writtenBytes) / fileBytes),
  }
}

/** Roughly normal weights. */
function bfloat16Weights(length: number): Uint8Array<ArrayBuffer> {
  const values = Float32Array.from({ length }, (_, i) => {
    return Math.sin(i * 12.9898) * Math.sin(i * 78.233) * Math.sin(i * 3.7) * 0.1
  })
  const halves = new Uint16Array(values.buffer)
  return new Uint8Array(Uint16Array.from({ length }, (_, i) => halves[2 * i + 1]!).buffer)
}

/** Processor time of one call, the least of a few means; other processes hardly count. */
function processorSeconds(work: () => unknown): number {
  const calls = 8
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 5; round++) {
    const before = process.cpuUsage()
    for (let call = 0; call < calls; call++) work()
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / 1e6 / calls)
  }
  return best
}

function wallSeconds(work: () => void): number {
  const started = performance.now()
  work()
  return (performance.now() - started) / 1000
}

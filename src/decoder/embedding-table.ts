import { bfloat16ToFloat32 } from '../core/bfloat16.js'
import type { DType } from '../core/dtypes.js'
import { NVLMError } from '../core/errors.js'
import { float16ToFloat32 } from '../core/float16.js'
import { type BlockDType, blockRowBytes, dequantizeRows } from '../formats/blocks/block-format.js'
import type { RandomAccessFile } from '../platform/platform.js'

/** Consecutive rows of an embedding table in one file. */
export interface EmbeddingPiece {
  readonly rows: number
  /** First byte of the floats or codes. */
  readonly offset: number
  /** First byte of the scales of a table in blocks. */
  readonly scalesOffset?: number | undefined
  readonly zeroPointsOffset?: number | undefined
}

/** Where the embedding table lies. */
export interface EmbeddingPlace {
  readonly dtype: Extract<DType, 'F32' | 'F16' | 'BF16'> | Exclude<BlockDType, 'int8'>
  readonly vocabSize: number
  readonly hiddenSize: number
  /** In the order of the rows; together `vocabSize` of them. */
  readonly pieces: readonly EmbeddingPiece[]
}

type ReadRow = (
  file: RandomAccessFile,
  piece: EmbeddingPiece,
  row: number,
  width: number,
) => Promise<Float32Array>

/** How one row is read in each format. */
const rowReaders: Readonly<Record<EmbeddingPlace['dtype'], ReadRow>> = {
  F32: async (file, { offset }, row, width) => {
    const bytes = aligned(await file.read(offset + row * width * 4, width * 4))
    return new Float32Array(bytes.buffer, bytes.byteOffset, width)
  },
  F16: async (file, piece, row, width) => float16ToFloat32(await readHalves(file, piece, row, width)),
  BF16: async (file, piece, row, width) => bfloat16ToFloat32(await readHalves(file, piece, row, width)),
  q8: (file, piece, row, width) => readBlocks('q8', file, piece, row, width),
  q4: (file, piece, row, width) => readBlocks('q4', file, piece, row, width),
}

/** Rows kept in memory: the words of a conversation come again and again. */
const MAX_CACHED_ROWS = 4096

/**
 * Token embeddings, read row by row from the files of the model.
 *
 * The table of a 72B model has 2.5 GB, of which a token needs 16 kB: reading rows costs no load time and no memory.
 */
export class EmbeddingTable {
  private readonly rows = new Map<number, Float32Array>()

  /** @param files - the file of each piece; closed by `dispose` */
  constructor(
    private readonly files: readonly RandomAccessFile[],
    private readonly place: EmbeddingPlace,
  ) {}

  get hiddenSize(): number {
    return this.place.hiddenSize
  }

  get vocabSize(): number {
    return this.place.vocabSize
  }

  /**
   * Embeddings of `inputIds`, float32 [inputIds.length, hiddenSize].
   *
   * @throws {NVLMError} INVALID_OPTION if an id is not in the table
   */
  async lookUp(inputIds: ArrayLike<number>): Promise<Float32Array> {
    const { hiddenSize } = this.place
    const embeddings = new Float32Array(inputIds.length * hiddenSize)
    for (let i = 0; i < inputIds.length; i++) {
      const id = inputIds[i]!
      embeddings.set(this.rows.get(id) ?? (await this.readRow(id)), i * hiddenSize)
    }
    return embeddings
  }

  async dispose(): Promise<void> {
    this.rows.clear()
    for (const file of new Set(this.files)) await file.close()
  }

  private async readRow(id: number): Promise<Float32Array> {
    const { dtype, vocabSize, hiddenSize, pieces } = this.place
    if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
      throw new NVLMError('INVALID_OPTION', `token id ${id}; expected an integer from 0 to ${vocabSize - 1}`)
    }
    let first = 0
    let index = 0
    while (id >= first + pieces[index]!.rows) first += pieces[index++]!.rows
    const row = await rowReaders[dtype](this.files[index]!, pieces[index]!, id - first, hiddenSize)
    if (this.rows.size >= MAX_CACHED_ROWS) this.rows.delete(this.rows.keys().next().value!)
    this.rows.set(id, row)
    return row
  }
}

async function readHalves(
  file: RandomAccessFile,
  { offset }: EmbeddingPiece,
  row: number,
  width: number,
): Promise<Uint16Array> {
  const bytes = aligned(await file.read(offset + row * width * 2, width * 2))
  return new Uint16Array(bytes.buffer, bytes.byteOffset, width)
}

async function readBlocks(
  dtype: BlockDType,
  file: RandomAccessFile,
  piece: EmbeddingPiece,
  row: number,
  width: number,
): Promise<Float32Array> {
  const bytes = blockRowBytes(dtype, width)
  const { offset, scalesOffset = 0, zeroPointsOffset = 0 } = piece
  const codes = await file.read(offset + row * bytes.codes, bytes.codes)
  const scales = aligned(await file.read(scalesOffset + row * bytes.scales, bytes.scales))
  const zeroPoints = await file.read(zeroPointsOffset + row * bytes.zeroPoints, bytes.zeroPoints)
  const stored = {
    codes,
    scales: new Float32Array(scales.buffer, scales.byteOffset, bytes.numBlocks),
    zeroPoints,
  }
  return dequantizeRows(dtype, stored, 1, width)
}

function aligned(bytes: Uint8Array): Uint8Array {
  return bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
}

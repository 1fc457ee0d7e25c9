import { bfloat16ToFloat32 } from '../core/bfloat16.js'
import type { DType } from '../core/dtypes.js'
import { NVLMError } from '../core/errors.js'
import { float16ToFloat32 } from '../core/float16.js'
import type { RandomAccessFile } from '../platform/platform.js'

/** Where the embedding table lies. */
export interface EmbeddingPlace {
  readonly dtype: Extract<DType, 'F32' | 'F16' | 'BF16'>
  readonly vocabSize: number
  readonly hiddenSize: number
  /** First byte of the table in its file. */
  readonly offset: number
}

/** Rows kept in memory: the words of a conversation come again and again. */
const MAX_CACHED_ROWS = 4096

/**
 * Token embeddings, read row by row from the checkpoint's own file.
 *
 * The table of a 72B model has 2.5 GB, of which a token needs 16 kB: reading rows costs no load time and no memory.
 */
export class EmbeddingTable {
  private readonly rows = new Map<number, Float32Array>()

  /** @param file - closed by `dispose` */
  constructor(
    private readonly file: RandomAccessFile,
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
    await this.file.close()
  }

  private async readRow(id: number): Promise<Float32Array> {
    const { dtype, vocabSize, hiddenSize, offset } = this.place
    if (!Number.isInteger(id) || id < 0 || id >= vocabSize) {
      throw new NVLMError('INVALID_OPTION', `token id ${id}; expected an integer from 0 to ${vocabSize - 1}`)
    }
    const rowBytes = hiddenSize * (dtype === 'F32' ? 4 : 2)
    const bytes = await this.file.read(offset + id * rowBytes, rowBytes)
    const row = toFloat32(bytes, dtype)
    if (this.rows.size >= MAX_CACHED_ROWS) this.rows.delete(this.rows.keys().next().value!)
    this.rows.set(id, row)
    return row
  }
}

/** `bytes` must own its buffer from offset 0, as a fresh read does. */
function toFloat32(bytes: Uint8Array, dtype: EmbeddingPlace['dtype']): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice()
  if (dtype === 'F32') return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4)
  const codes = new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2)
  return dtype === 'BF16' ? bfloat16ToFloat32(codes) : float16ToFloat32(codes)
}

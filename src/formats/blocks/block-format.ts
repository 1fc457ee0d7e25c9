/**
 * Weights in blocks of small integers that share a scale: q8 and q4 as ONNX Runtime's `MatMulNBits` reads them, int8 with
 * one scale a row as `DynamicQuantizeMatMul` does.
 */
export type BlockDType = 'q8' | 'q4' | 'int8'

const blockDTypes: readonly string[] = ['q8', 'q4', 'int8'] satisfies readonly BlockDType[]

/** Is a stored type one in blocks? */
export function isBlockDType(dtype: string): dtype is BlockDType {
  return blockDTypes.includes(dtype)
}

/** Consecutive weights of one row that share a scale. A row whose length is no multiple is padded with zeros. */
export const BLOCK_SIZE = 32

/** What distinguishes the block formats. */
export interface BlockFormat {
  readonly bits: 4 | 8
  /** Has every block a zero point of its own? Otherwise it is `defaultZeroPoint`. */
  readonly hasZeroPoints: boolean
  /** The code that stands for 0 where none is stored. */
  readonly defaultZeroPoint: number
  /** Is a row one block, without padding? Otherwise blocks have BLOCK_SIZE weights. */
  readonly isRowWise: boolean
}

/**
 * q8 is symmetric: 8 bits are enough that a zero point of its own gains a block nothing. q4 is asymmetric: for 1/8 bit
 * a weight it lowers the mean squared error by 8 % against the symmetric form with the same search.
 */
export const blockFormats: Readonly<Record<BlockDType, BlockFormat>> = {
  q8: { bits: 8, hasZeroPoints: false, defaultZeroPoint: 128, isRowWise: false },
  q4: { bits: 4, hasZeroPoints: true, defaultZeroPoint: 8, isRowWise: false },
  int8: { bits: 8, hasZeroPoints: false, defaultZeroPoint: 128, isRowWise: true },
}

/** Bytes that one row takes in each of the three arrays of a matrix. */
export interface BlockRowBytes {
  readonly numBlocks: number
  /** Codes, low nibble first. */
  readonly codes: number
  /** float32 scales. */
  readonly scales: number
  /** Zero points, packed as the codes are; 0 for a format without. */
  readonly zeroPoints: number
}

/** @param columns - weights of a row, without padding */
export function blockRowBytes(dtype: BlockDType, columns: number, blockSize = BLOCK_SIZE): BlockRowBytes {
  const { bits, hasZeroPoints, isRowWise } = blockFormats[dtype]
  if (isRowWise) return { numBlocks: 1, codes: columns, scales: 4, zeroPoints: 0 }
  const numBlocks = Math.ceil(columns / blockSize)
  return {
    numBlocks,
    codes: (numBlocks * blockSize * bits) / 8,
    scales: numBlocks * 4,
    zeroPoints: hasZeroPoints ? Math.ceil((numBlocks * bits) / 8) : 0,
  }
}

/** The stored arrays of some rows: codes [rows, blocks, BLOCK_SIZE * bits / 8], scales [rows, blocks], zero points. */
export interface BlockRows {
  readonly codes: Uint8Array
  readonly scales: Float32Array
  /** Empty for a format without. */
  readonly zeroPoints: Uint8Array
}

/** The weights that stored rows stand for: (code - zeroPoint) * scale, float32 [rows, columns]. */
export function dequantizeRows(
  dtype: BlockDType,
  stored: BlockRows,
  rows: number,
  columns: number,
): Float32Array {
  const { bits, hasZeroPoints, defaultZeroPoint, isRowWise } = blockFormats[dtype]
  const bytes = blockRowBytes(dtype, columns)
  const codeAt = bits === 4 ? nibble : byte
  const values = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const block = isRowWise ? 0 : Math.floor(column / BLOCK_SIZE)
      const zeroPoint = hasZeroPoints
        ? codeAt(stored.zeroPoints, row * bytes.zeroPoints, block)
        : defaultZeroPoint
      const code = codeAt(stored.codes, row * bytes.codes, column)
      values[row * columns + column] = (code - zeroPoint) * stored.scales[row * bytes.numBlocks + block]!
    }
  }
  return values
}

function nibble(bytes: Uint8Array, start: number, index: number): number {
  const pair = bytes[start + (index >> 1)]!
  return index & 1 ? pair >> 4 : pair & 15
}

function byte(bytes: Uint8Array, start: number, index: number): number {
  return bytes[start + index]!
}

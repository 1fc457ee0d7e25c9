/** Bytes of an RGB pixel. */
export const BYTES_OF_PIXEL = 3

/** Pixels that are moved between two pauses: a few milliseconds of work. */
export const PIXELS_OF_STEP = 500_000

/** Rows or columns that are exchanged by way of other memory; what comes of them is moved in whole pieces. */
const BAND = 128
const BYTES_OF_PIECE = BAND * BYTES_OF_PIXEL

type Steps = Generator<undefined, void, undefined>

/** Pixels of several rows; `at` and `stride` in bytes. */
interface Rows {
  readonly data: Uint8Array
  readonly at: number
  readonly stride: number
}

/**
 * Exchange rows and columns of RGB pixels in their own memory: [height, width] becomes [width, height].
 *
 * Bands of 128 rows are transposed one by one; then pieces of 128 pixels follow the cycles of what is left of the
 * permutation. A picture that is wider than tall takes the same way backwards, so that a band is never longer than the
 * shorter side. Other memory is taken for a band, for what is left over beside the bands, and a byte for each piece.
 *
 * @param data - uint8 [height, width, 3], changed in place
 * @see Sung et al., "In-Place Transposition of Rectangular Matrices on Accelerators" (2014), on going in such stages
 */
export function* transposePixels(data: Uint8Array, width: number, height: number): Steps {
  if (width <= height) yield* transposeTall(data, height, width)
  else yield* transposeWide(data, height, width)
}

function* transposeTall(data: Uint8Array, rows: number, columns: number): Steps {
  const numBands = Math.floor(rows / BAND)
  const numOver = rows % BAND
  const banded = numBands * BYTES_OF_PIECE
  const over = new Uint8Array(data.subarray(banded * columns))
  yield* transposeBands(data, numBands, BAND, columns)
  yield* transposePieces(data, numBands, columns)
  if (numOver === 0) return
  // rows move apart, the last first, and what is left over comes between them
  const stride = rows * BYTES_OF_PIXEL
  for (let row = columns - 1; row > 0; row--) {
    data.copyWithin(row * stride, row * banded, (row + 1) * banded)
  }
  yield
  const source = { data: over, at: 0, stride: columns * BYTES_OF_PIXEL }
  copyTransposed(source, { data, at: banded, stride }, numOver, columns)
}

function* transposeWide(data: Uint8Array, rows: number, columns: number): Steps {
  const numBands = Math.floor(columns / BAND)
  const numOver = columns % BAND
  const banded = numBands * BYTES_OF_PIECE
  const over = new Uint8Array(numOver * rows * BYTES_OF_PIXEL)
  if (numOver > 0) {
    const stride = columns * BYTES_OF_PIXEL
    const target = { data: over, at: 0, stride: rows * BYTES_OF_PIXEL }
    copyTransposed({ data, at: banded, stride }, target, rows, numOver)
    yield
    for (let row = 1; row < rows; row++) data.copyWithin(row * banded, row * stride, row * stride + banded)
  }
  yield* transposePieces(data, rows, numBands)
  yield* transposeBands(data, numBands, rows, BAND)
  data.set(over, banded * rows)
}

/** Transpose each of some bands that lie one behind the other. */
function* transposeBands(data: Uint8Array, numBands: number, rows: number, columns: number): Steps {
  const bandsOfStep = Math.ceil(PIXELS_OF_STEP / (rows * columns))
  const stride = columns * BYTES_OF_PIXEL
  const transposed = { data: new Uint8Array(rows * stride), at: 0, stride: rows * BYTES_OF_PIXEL }
  for (let band = 0; band < numBands; band++) {
    const at = band * rows * stride
    copyTransposed({ data, at, stride }, transposed, rows, columns)
    data.set(transposed.data, at)
    if ((band + 1) % bandsOfStep === 0) yield
  }
}

/** Transpose [rows, columns] pieces: each place takes its piece from another, along the cycles of the permutation. */
function* transposePieces(data: Uint8Array, rows: number, columns: number): Steps {
  const piecesOfStep = PIXELS_OF_STEP / BAND
  const isDone = new Uint8Array(rows * columns)
  const first = new Uint8Array(BYTES_OF_PIECE)
  let numMoved = 0
  for (let start = 0; start < isDone.length; start++) {
    if (isDone[start] === 1) continue
    first.set(data.subarray(start * BYTES_OF_PIECE, (start + 1) * BYTES_OF_PIECE))
    let place = start
    for (;;) {
      isDone[place] = 1
      const from = (place % rows) * columns + Math.floor(place / rows)
      if (from === start) break
      data.copyWithin(place * BYTES_OF_PIECE, from * BYTES_OF_PIECE, (from + 1) * BYTES_OF_PIECE)
      place = from
      if (++numMoved % piecesOfStep === 0) yield
    }
    data.set(first, place * BYTES_OF_PIECE)
  }
}

/** Write the columns of [rows, columns] pixels as rows. */
function copyTransposed(source: Rows, target: Rows, rows: number, columns: number): void {
  for (let column = 0; column < columns; column++) {
    let from = source.at + column * BYTES_OF_PIXEL
    let to = target.at + column * target.stride
    for (let row = 0; row < rows; row++) {
      target.data[to] = source.data[from]!
      target.data[to + 1] = source.data[from + 1]!
      target.data[to + 2] = source.data[from + 2]!
      from += source.stride
      to += BYTES_OF_PIXEL
    }
  }
}

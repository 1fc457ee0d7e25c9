// AssemblyScript, not TypeScript: `npm run build:wasm` makes ../convert-rows-wasm.ts of it, which row-converter.ts runs.
// The tests hold every bit to plain JavaScript: core/float16.ts, core/bfloat16.ts and test/support/quantize-rows.ts.

/** Element types, as the caller numbers them. */
const F32: i32 = 0
const BF16: i32 = 1

const BLOCK_SIZE: i32 = 32

/** Bytes of a block as float32. */
const BLOCK_BYTES: usize = 128

/**
 * Widen one row to float32, padded with zeros to whole blocks. May read and write up to 16 bytes beyond both.
 *
 * @returns is any of the values not finite?
 */
export function widenRow(from: i32, source: usize, target: usize, columns: i32): bool {
  const exponent = i32x4.splat(0x7f800000)
  let odd = i32x4.splat(0)
  for (let i: i32 = 0; i < columns; i += 4) {
    const at = target + ((<usize>i) << 2)
    let bits: v128
    if (from === F32) bits = v128.load(source + ((<usize>i) << 2))
    else {
      const codes = v128.load_zero<u64>(source + ((<usize>i) << 1))
      bits =
        from === BF16
          ? v128.shl<i32>(i32x4.extend_low_i16x8_u(codes), 16)
          : widenHalves(i32x4.extend_low_i16x8_u(codes))
    }
    // values of the next row don't count
    if (columns - i < 4) bits = keepLanes(bits, columns - i)
    odd = v128.or(odd, i32x4.eq(v128.and(bits, exponent), exponent))
    v128.store(at, bits)
  }
  const end = target + ((<usize>((columns + BLOCK_SIZE - 1) & ~(BLOCK_SIZE - 1))) << 2)
  for (let at = target + ((<usize>((columns + 3) & ~3)) << 2); at < end; at += 16)
    v128.store(at, i32x4.splat(0))
  return v128.any_true(odd)
}

/** The first lanes, the others zero. */
function keepLanes(bits: v128, count: i32): v128 {
  return v128.and(bits, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count)))
}

/** float16 codes, one in each lane, as float32. @see Fabian Giesen, `half_to_float_fast` */
function widenHalves(codes: v128): v128 {
  const sign = v128.shl<i32>(v128.and(codes, i32x4.splat(0x8000)), 16)
  const shifted = v128.shl<i32>(v128.and(codes, i32x4.splat(0x7fff)), 13)
  const exponent = v128.and(shifted, i32x4.splat(0x0f800000))
  const normal = i32x4.add(shifted, i32x4.splat(112 << 23))
  const infinite = i32x4.add(normal, i32x4.splat(112 << 23))
  const small = f32x4.sub(i32x4.add(normal, i32x4.splat(1 << 23)), i32x4.splat(113 << 23))
  const large = v128.bitselect(infinite, normal, i32x4.eq(exponent, i32x4.splat(0x0f800000)))
  return v128.or(sign, v128.bitselect(small, large, i32x4.eq(exponent, i32x4.splat(0))))
}

/**
 * Narrow one row of finite float32 to bfloat16 or float16, to nearest, ties to even. May write up to 16 bytes beyond.
 *
 * @returns is any of the values too large for float16?
 */
export function narrowRow(to: i32, values: usize, target: usize, columns: i32): bool {
  let large = i32x4.splat(0)
  for (let i: i32 = 0; i < columns; i += 4) {
    const bits = v128.load(values + ((<usize>i) << 2))
    let codes: v128
    if (to === BF16) {
      const tie = v128.and(v128.shr<u32>(bits, 16), i32x4.splat(1))
      codes = v128.shr<u32>(i32x4.add(i32x4.add(bits, i32x4.splat(0x7fff)), tie), 16)
    } else {
      large = v128.or(large, i32x4.gt_s(v128.and(bits, i32x4.splat(0x7fffffff)), i32x4.splat(0x477fe000)))
      codes = narrowHalves(bits)
    }
    v128.store64_lane(target + ((<usize>i) << 1), v128.narrow<u32>(codes, codes), 0)
  }
  return v128.any_true(large)
}

/** float32 of at most 65504 as float16 codes, one in each lane. @see Fabian Giesen, `float_to_half_fast3_rtne` */
function narrowHalves(bits: v128): v128 {
  const magnitude = v128.and(bits, i32x4.splat(0x7fffffff))
  const sign = v128.shr<u32>(v128.xor(bits, magnitude), 16)
  const tie = v128.and(v128.shr<u32>(magnitude, 13), i32x4.splat(1))
  const normal = v128.shr<u32>(i32x4.add(i32x4.add(magnitude, i32x4.splat(0xc8000fff)), tie), 13)
  const magic = i32x4.splat(126 << 23)
  const small = i32x4.sub(f32x4.add(magnitude, magic), magic)
  return v128.or(sign, v128.bitselect(small, normal, i32x4.lt_s(magnitude, i32x4.splat(113 << 23))))
}

/** Outside of this range of sizes a block is scaled by a power of two, so that nothing overflows or vanishes in float32. */
const LEAST: f64 = 8.673617379884035e-19 // 2^-60
const MOST: f64 = 1.152921504606847e18 // 2^60
const ENLARGED: f64 = 1.2676506002282294e30 // 2^100
const REDUCED: f64 = 8.470329472543003e-22 // 2^-70

function factorOf(size: f64): f64 {
  return size < LEAST ? ENLARGED : size > MOST ? REDUCED : 1
}

function scaleBlock(block: usize, end: usize, factor: f32): void {
  const factors = f32x4.splat(factor)
  for (let at = block; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), factors))
}

/** (lane 0 + lane 1) + (lane 2 + lane 3) in float64. */
function sumOf(x: v128): f64 {
  return (
    <f64>f32x4.extract_lane(x, 0) +
    <f64>f32x4.extract_lane(x, 1) +
    (<f64>f32x4.extract_lane(x, 2) + <f64>f32x4.extract_lane(x, 3))
  )
}

/** The least of the lanes, none of them NaN. */
function leastOf(x: v128): f64 {
  const pairs = f32x4.pmin(x, v128.shuffle<i32>(x, x, 2, 3, 0, 1))
  return <f64>f32x4.extract_lane(f32x4.pmin(pairs, v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2)), 0)
}

/** The greatest of the lanes, none of them NaN. */
function greatestOf(x: v128): f64 {
  const pairs = f32x4.pmax(x, v128.shuffle<i32>(x, x, 2, 3, 0, 1))
  return <f64>f32x4.extract_lane(f32x4.pmax(pairs, v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2)), 0)
}

/** From here on float32 holds whole numbers only: what is added to it is rounded to nearest, ties to even. */
const WHOLE: f32 = 8388608

/** WHOLE + code of four weights. */
function codesOf(x: v128, inverse: v128, zero: v128, least: f32, most: f32): v128 {
  const moved = f32x4.add(f32x4.mul(x, inverse), zero)
  return f32x4.pmin(f32x4.pmax(moved, f32x4.splat(WHOLE + least)), f32x4.splat(WHOLE + most))
}

/** What `searchGrid` found: sums of value * code and code * code, the steps of the range, and the zero point. */
let bestProduct: f64 = 0
let bestSquare: f64 = 1
let bestSteps: f64 = 1
let bestZero: f64 = 8

/** Of a few scales and zero points the pair with the least squared error. */
function searchGrid(block: usize, min: f64, range: f64, steps: usize, numSteps: i32): void {
  let product: f64 = 0
  let square: f64 = 1
  let stepsOfRange: f64 = 1
  let zeroPoint: f64 = 8
  const perRange = 1 / range
  for (let k: i32 = 0; k < numSteps; k++) {
    const triedSteps = load<f64>(steps + ((<usize>k) << 3))
    const inverse = triedSteps * perRange
    const zero = Math.min(15, Math.max(0, Math.floor(0.5 - min * inverse)))
    const inverses = f32x4.splat(<f32>inverse)
    const zeros = f32x4.splat(WHOLE + <f32>zero)
    let xq = f32x4.splat(0)
    let qq = f32x4.splat(0)
    for (let at = block; at < block + BLOCK_BYTES; at += 16) {
      const x = v128.load(at)
      const q = f32x4.sub(codesOf(x, inverses, zeros, 0, 15), zeros)
      xq = f32x4.add(xq, f32x4.mul(x, q))
      qq = f32x4.add(qq, f32x4.mul(q, q))
    }
    const tried = sumOf(xq)
    const triedSquare = sumOf(qq)
    // the squared error is Σx² - (Σxq)² / Σqq; chosen without a branch, which could not be predicted
    const isBetter = tried * tried * square > product * product * triedSquare
    product = select(tried, product, isBetter)
    square = select(triedSquare, square, isBetter)
    stepsOfRange = select(triedSteps, stepsOfRange, isBetter)
    zeroPoint = select(zero, zeroPoint, isBetter)
  }
  bestProduct = product
  bestSquare = square
  bestSteps = stepsOfRange
  bestZero = zeroPoint
}

/** Blocks of 32 with 4 bits and a zero point each. `steps`: float64s. */
export function quantizeRow4(
  values: usize,
  numBlocks: i32,
  steps: usize,
  numSteps: i32,
  fitsScale: bool,
  codes: usize,
  scales: usize,
  zeroPoints: usize,
): void {
  for (let index: i32 = 0; index < numBlocks; index++) {
    const block = values + <usize>index * BLOCK_BYTES
    let low = f32x4.splat(0)
    let high = f32x4.splat(0)
    for (let at = block; at < block + BLOCK_BYTES; at += 16) {
      const x = v128.load(at)
      low = f32x4.pmin(low, x)
      high = f32x4.pmax(high, x)
    }
    let min = leastOf(low)
    let range = greatestOf(high) - min
    const factor = factorOf(range)
    if (factor !== 1) {
      scaleBlock(block, block + BLOCK_BYTES, <f32>factor)
      min *= factor
      range *= factor
    }
    let scale: f32 = 0
    let zero: f64 = 8
    if (range > 0) {
      searchGrid(block, min, range, steps, numSteps)
      zero = bestZero
      scale = <f32>((fitsScale ? bestProduct / bestSquare : range / bestSteps) / factor)
    }
    store<f32>(scales + ((<usize>index) << 2), scale)
    const at = zeroPoints + (<usize>index >> 1)
    store<u8>(at, index & 1 ? load<u8>(at) | ((<u8>zero) << 4) : <u8>zero)
    const inverses = inversesOf(scale, factor)
    writeNibbles(block, inverses, f32x4.splat(WHOLE + <f32>zero), codes + ((<usize>index) << 4))
  }
}

/** A scale too small for float32 is 0: the block is then all zero, as near as float32 comes. */
function inversesOf(scale: f32, factor: f64): v128 {
  return f32x4.splat(scale === 0 ? 0 : <f32>(1 / (<f64>scale * factor)))
}

/** 32 codes of 4 bits, low nibble first. */
function writeNibbles(block: usize, inverse: v128, zero: v128, codes: usize): void {
  v128.store(
    codes,
    v128.narrow<u16>(nibblePairs(block, inverse, zero), nibblePairs(block + 64, inverse, zero)),
  )
}

/** 16 weights as 8 bytes, in 16 bits each. */
function nibblePairs(block: usize, inverse: v128, zero: v128): v128 {
  const bytes = bytesOf(block, inverse, zero, 0, 15)
  return v128.and(v128.or(bytes, v128.shr<u16>(bytes, 4)), i16x8.splat(0xff))
}

/** The codes of 16 weights as bytes. */
function bytesOf(block: usize, inverse: v128, zero: v128, least: f32, most: f32): v128 {
  const byte = i32x4.splat(0xff)
  const a = v128.and(codesOf(v128.load(block), inverse, zero, least, most), byte)
  const b = v128.and(codesOf(v128.load(block, 16), inverse, zero, least, most), byte)
  const c = v128.and(codesOf(v128.load(block, 32), inverse, zero, least, most), byte)
  const d = v128.and(codesOf(v128.load(block, 48), inverse, zero, least, most), byte)
  return v128.narrow<u16>(v128.narrow<i32>(a, b), v128.narrow<i32>(c, d))
}

/** Blocks with 8 bits around 128. `blockBytes`: of a block as float32, a multiple of 128. */
export function quantizeRow8(
  values: usize,
  numBlocks: i32,
  blockBytes: usize,
  steps: f64,
  fitsScale: bool,
  codes: usize,
  scales: usize,
): void {
  const zeros = f32x4.splat(WHOLE + 128)
  for (let index: i32 = 0; index < numBlocks; index++) {
    const block = values + <usize>index * blockBytes
    const end = block + blockBytes
    let sizes = f32x4.splat(0)
    for (let at = block; at < end; at += 16) sizes = f32x4.pmax(sizes, f32x4.abs(v128.load(at)))
    let largest = greatestOf(sizes)
    const factor = factorOf(largest)
    if (factor !== 1) {
      scaleBlock(block, end, <f32>factor)
      largest *= factor
    }
    let best: f64 = 0
    if (largest > 0) {
      const inverses = f32x4.splat(<f32>(steps / largest))
      let xq = f32x4.splat(0)
      let qq = f32x4.splat(0)
      for (let at = block; at < end; at += 16) {
        const x = v128.load(at)
        const q = f32x4.sub(f32x4.add(f32x4.mul(x, inverses), zeros), zeros)
        xq = f32x4.add(xq, f32x4.mul(x, q))
        qq = f32x4.add(qq, f32x4.mul(q, q))
      }
      best = fitsScale ? sumOf(xq) / sumOf(qq) : largest / steps
    }
    const scale = <f32>(best / factor)
    store<f32>(scales + ((<usize>index) << 2), scale)
    const inverses = inversesOf(scale, factor)
    let target = codes + ((<usize>index * blockBytes) >> 2)
    for (let at = block; at < end; at += 64) {
      v128.store(target, bytesOf(at, inverses, zeros, 1, 255))
      target += 16
    }
  }
}

/** A source of uniform random numbers. Randomness is passed in, never taken from the air. */
export interface Random {
  /** Uniform in [0, 1), a multiple of 2^-53. */
  next(): number
}

/**
 * A reproducible source: xoshiro128** seeded through SplitMix64, so that near seeds give unrelated streams.
 *
 * Each draw spends two 32-bit outputs: 27 bits of the first, 26 of the second.
 *
 * @param seed - safe integer of zero or more
 * @see https://prng.di.unimi.it (`xoshiro128starstar.c`, `splitmix64.c`; Blackman and Vigna, public domain)
 */
export function createRandom(seed: number): Random {
  const nextWord = xoshiro128StarStar(seedWords(seed))
  return { next: () => ((nextWord() >>> 5) * 2 ** 26 + (nextWord() >>> 6)) / 2 ** 53 }
}

/** The generator itself: each call gives 32 random bits, from a state of four words that are not all zero. */
export function xoshiro128StarStar(state: readonly [number, number, number, number]): () => number {
  let [s0, s1, s2, s3] = state
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0
    const t = s1 << 9
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = rotateLeft(s3, 11)
    return result
  }
}

function rotateLeft(word: number, numBits: number): number {
  return (word << numBits) | (word >>> (32 - numBits))
}

/** Two outputs of SplitMix64 as four words, low half first (what Rust's `rand_xoshiro` does with `seed_from_u64`). */
function seedWords(seed: number): [number, number, number, number] {
  const first = splitMix64(BigInt(seed) + GOLDEN_GAMMA)
  const second = splitMix64(BigInt(seed) + 2n * GOLDEN_GAMMA)
  const low = (word: bigint) => Number(BigInt.asUintN(32, word))
  return [low(first), low(first >> 32n), low(second), low(second >> 32n)]
}

/** 2^64 divided by the golden ratio, odd: the step of SplitMix64. */
const GOLDEN_GAMMA = 0x9e3779b97f4a7c15n

function splitMix64(state: bigint): bigint {
  let z = BigInt.asUintN(64, state)
  z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
  z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn)
  return z ^ (z >> 31n)
}

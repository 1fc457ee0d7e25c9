import { CHARACTER_BYTES, NO_CHARACTER, type Partial, WHOLE } from './text-bytes.js'
import type { TokenTrie } from './token-trie.js'

/** Here no character of the spelling can be. */
export const NO_SYMBOL = -1
/** Here a quote ends the string. */
export const END_QUOTE = -2

/** What the bytes of a vocabulary are as characters, from the border of a character on. */
export interface CharacterTrie {
  /**
   * By node: place in `codePoints` of the character that it completes, `NO_SYMBOL`, `END_QUOTE`, or for a node inside
   * of a character `-2 - partial`.
   */
  readonly symbols: Int32Array
  /** The different characters of all tokens. */
  readonly codePoints: readonly number[]
}

const QUOTE = 0x22

/** Read the nodes of a vocabulary as characters. */
export function buildCharacterTrie(trie: TokenTrie, spelling: 'json' | 'plain'): CharacterTrie {
  const { bytes, depths, ends, numNodes, maxDepth } = trie
  const symbols = new Int32Array(numNodes).fill(NO_SYMBOL)
  const codePoints: number[] = []
  const places = new Map<number, number>()
  const placeOf = (codePoint: number): number => {
    const known = places.get(codePoint)
    if (known !== undefined) return known
    places.set(codePoint, codePoints.length)
    return codePoints.push(codePoint) - 1
  }
  const path = new Uint16Array(maxDepth + 1)
  const characters = CHARACTER_BYTES[spelling]
  for (let node = 1; node < numNodes; ) {
    const depth = depths[node]!
    const before: Partial = path[depth - 1]!
    const next = characters.next(before, bytes[node]!)
    if (next === NO_CHARACTER) {
      const isEnd = spelling === 'json' && before === WHOLE && bytes[node] === QUOTE
      if (isEnd) symbols[node] = END_QUOTE
      node = ends[node]!
      continue
    }
    path[depth] = Math.max(WHOLE, next)
    symbols[node] = next > WHOLE ? -2 - next : placeOf(-2 - next)
    node++
  }
  return { symbols, codePoints }
}

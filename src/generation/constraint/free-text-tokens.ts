import type { FreeText } from './terminal.js'
import { DEAD } from './terminal.js'
import { TextTerminal } from './text-terminal.js'
import {
  addNodeTokens,
  addTokens,
  newTokenMask,
  pushNodeTokens,
  removeToken,
  type TokenMask,
} from './token-mask.js'
import type { LocalTokens } from './token-masks.js'
import type { TokenTrie } from './token-trie.js'

/** The tokens of a trie that are text inside of a string, by their numbers of characters. */
interface Table {
  /** All of them. */
  readonly mask: TokenMask
  /** By number of characters. */
  readonly byCount: readonly (readonly number[])[]
  /** Nodes where the string's quote closes it, with the characters before it. */
  readonly quotes: readonly { readonly node: number; readonly count: number }[]
}

const QUOTE = 0x22

/**
 * Tokens inside of strings whose characters are free: what a limit on the length allows is picked from one table.
 *
 * A token that ends inside of a character counts it, since nothing else can complete it.
 */
export class FreeTextTokens {
  private readonly tables = new Map<boolean, Table>()
  private readonly unlimited = new Map<boolean, LocalTokens>()

  constructor(private readonly trie: TokenTrie) {}

  tokens(free: FreeText): LocalTokens {
    const table = this.table(free.countsUnits)
    const isUnlimited = free.min === 0 && free.max >= table.byCount.length - 1
    const known = isUnlimited ? this.unlimited.get(free.countsUnits) : undefined
    if (known) return known
    const tokens = this.pick(table, free)
    if (isUnlimited) this.unlimited.set(free.countsUnits, tokens)
    return tokens
  }

  private pick({ mask, byCount, quotes }: Table, { min, max }: FreeText): LocalTokens {
    const tokens = mask.slice()
    for (let count = max + 1; count < byCount.length; count++) {
      for (const id of byCount[count]!) removeToken(tokens, id)
    }
    const closing = quotes.filter(({ count }) => count >= min && count <= max).map(({ node }) => node)
    for (const node of closing) addNodeTokens(this.trie, node, tokens)
    return { tokens, exits: closing.filter(node => this.trie.ends[node]! > node + 1) }
  }

  private table(countsUnits: boolean): Table {
    const known = this.tables.get(countsUnits)
    if (known) return known
    const made = makeTable(this.trie, countsUnits)
    this.tables.set(countsUnits, made)
    return made
  }
}

function makeTable(trie: TokenTrie, countsUnits: boolean): Table {
  const { bytes, depths, ends, numNodes, maxDepth } = trie
  const string = new TextTerminal({ spelling: 'json' })
  const inside = string.step(string.start, QUOTE)
  const states = new Float64Array(maxDepth + 1)
  const done = new Uint16Array(maxDepth + 1)
  states[0] = inside
  const byCount: number[][] = [[]]
  const quotes: { node: number; count: number }[] = []
  for (let node = 1; node < numNodes; ) {
    const depth = depths[node]!
    const before = states[depth - 1]!
    const state = string.step(before, bytes[node]!)
    if (state === DEAD || string.isAccepting(state)) {
      if (state !== DEAD) quotes.push({ node, count: done[depth - 1]! })
      node = ends[node]!
      continue
    }
    states[depth] = state
    // a character counts from its first byte on
    const size = countsUnits && bytes[node]! >= 0xf0 ? 2 : 1
    const count = done[depth - 1]! + (before === inside ? size : 0)
    done[depth] = count
    while (byCount.length <= count) byCount.push([])
    pushNodeTokens(trie, node, byCount[count]!)
    node++
  }
  const mask = newTokenMask(trie.vocabSize)
  for (const ids of byCount) addTokens(mask, ids)
  return { mask, byCount, quotes }
}

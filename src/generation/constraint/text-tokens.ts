import { buildCharacterTrie, type CharacterTrie, END_QUOTE, NO_SYMBOL } from './character-trie.js'
import { DEAD, type TextPlace, type TextSteps } from './terminal.js'
import { addNodeTokens, newTokenMask, removeNodeTokens, type TokenMask } from './token-mask.js'
import type { LocalTokens } from './token-masks.js'
import type { TokenTrie } from './token-trie.js'

/** What may stand at a place of a text of whatever length. */
interface PlaceTable {
  /** All tokens that lead on. */
  readonly mask: TokenMask
  /**
   * Their nodes by the number of characters that they need: their own, and those to the next place where the text may
   * end. Empty if nobody has asked for it.
   */
  readonly byNeed: readonly Int32Array[]
  /** Nodes where the text ends, or has ended and the branch goes on: with the characters before. */
  readonly ends: readonly { readonly node: number; readonly count: number }[]
  readonly allEnds: readonly number[]
  readonly maxEndCount: number
}

/** Tables that are kept of one text. */
const MAX_TABLES = 64

/** Branches that are smaller are walked without asking first whether a character that begins so can stand there. */
const SMALL_BRANCH = 8

/**
 * Tokens inside of texts.
 *
 * A text is walked through the vocabulary by characters, not by bytes, and once for all limits of its length: what a
 * limit allows is picked from the table of the place. A token that ends inside of a character counts it, since nothing
 * else can complete it.
 */
export class TextTokens {
  private readonly characters = new Map<'json' | 'plain', CharacterTrie>()
  private readonly tables = new WeakMap<TextSteps, Map<number, PlaceTable>>()

  constructor(private readonly trie: TokenTrie) {}

  tokens({ text, place, min, max }: TextPlace): LocalTokens {
    const { mask, byNeed, ends, allEnds, maxEndCount } = this.table(text, place, max < Infinity)
    const { trie } = this
    const isJson = text.spelling === 'json'
    const isLimited = max < byNeed.length - 1
    const ending =
      max < maxEndCount || min > 0
        ? ends.filter(({ count }) => count >= min && count <= max).map(({ node }) => node)
        : allEnds
    const exits = isJson ? ending.filter(node => trie.ends[node]! > node + 1) : ending
    if (!isLimited && !isJson) return { tokens: mask, exits }
    const tokens = mask.slice()
    for (let need = isLimited ? max + 1 : byNeed.length; need < byNeed.length; need++) {
      for (const node of byNeed[need]!) removeNodeTokens(trie, node, tokens)
    }
    // the closing quote is a part of its token, the end of a plain text is not
    if (isJson) for (const node of ending) addNodeTokens(trie, node, tokens)
    return { tokens, exits }
  }

  private table(text: TextSteps, place: number, withNeeds: boolean): PlaceTable {
    const tables = this.tables.get(text) ?? new Map<number, PlaceTable>()
    this.tables.set(text, tables)
    const known = tables.get(place)
    if (known && (!withNeeds || known.byNeed.length > 0)) return known
    const made = this.walk(text, place, withNeeds)
    if (tables.size >= MAX_TABLES) tables.delete(tables.keys().next().value!)
    tables.set(place, made)
    return made
  }

  private walk(text: TextSteps, start: number, withNeeds: boolean): PlaceTable {
    const { depths, ends: branchEnds, numNodes, maxDepth, tokens } = this.trie
    const { symbols, codePoints } = this.charactersOf(text.spelling)
    const isPlain = text.spelling === 'plain'
    const classes = text.classesOf(codePoints)
    const byNeed: number[][] = [[]]
    const ends: { node: number; count: number }[] = []
    const path = new Int32Array(maxDepth + 1)
    const counts = new Int32Array(maxDepth + 1)
    path[0] = start
    for (let node = 1; node < numNodes; ) {
      const depth = depths[node]!
      const symbol = symbols[node]!
      const before = path[depth - 1]!
      const count = counts[depth - 1]!
      const isToken = tokens[node]! >= 0
      const end = branchEnds[node]!
      let least = -1
      if (symbol >= 0) {
        const next = text.nextPlace(before, classes[symbol]!)
        if (next !== DEAD) {
          path[depth] = next
          counts[depth] = count + 1
          least = isToken ? text.leastBehind(next) : 0
          if (isPlain && end > node + 1 && text.canEnd(next)) ends.push({ node, count: count + 1 })
        }
      } else if (symbol === END_QUOTE) {
        if (text.canEnd(before)) ends.push({ node, count })
      } else if (symbol !== NO_SYMBOL) {
        path[depth] = before
        counts[depth] = count
        const isWorthIt = isToken || end - node > SMALL_BRANCH
        least = isWorthIt ? text.leastBehindPartial(before, -2 - symbol) : 0
      }
      if (least < 0) {
        node = end
        continue
      }
      if (isToken) {
        const need = count + 1 + least
        while (byNeed.length <= need) byNeed.push([])
        byNeed[need]!.push(node)
      }
      node++
    }
    const kept = withNeeds ? byNeed.map(nodes => Int32Array.from(nodes)) : []
    return {
      mask: this.maskOf(byNeed),
      byNeed: kept,
      ends,
      allEnds: ends.map(({ node }) => node),
      maxEndCount: ends.reduce((most, { count }) => Math.max(most, count), 0),
    }
  }

  private maskOf(byNeed: readonly (readonly number[])[]): TokenMask {
    const mask = newTokenMask(this.trie.vocabSize)
    for (const nodes of byNeed) for (const node of nodes) addNodeTokens(this.trie, node, mask)
    return mask
  }

  private charactersOf(spelling: 'json' | 'plain'): CharacterTrie {
    const known = this.characters.get(spelling)
    if (known) return known
    const made = buildCharacterTrie(this.trie, spelling)
    this.characters.set(spelling, made)
    return made
  }
}

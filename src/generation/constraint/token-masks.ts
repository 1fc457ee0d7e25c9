import type { GrammarStates, Reading } from './grammar-states.js'
import { DEAD, type Terminal } from './terminal.js'
import { TextTokens } from './text-tokens.js'
import {
  addNodeTokens,
  addTokens,
  compactTokens,
  newTokenMask,
  pushNodeTokens,
  type TokenMask,
} from './token-mask.js'
import type { TokenTrie } from './token-trie.js'

/** What a place in a terminal says about the tokens, whatever follows the terminal. */
export interface LocalTokens {
  /** Tokens that end inside of the terminal or with it: a list of few, or a set. */
  readonly tokens: readonly number[] | TokenMask
  /** Nodes of the trie with children where the terminal may have ended: what follows decides about the rest. */
  readonly exits: readonly number[]
}

/** Local masks that are kept for each terminal; the oldest goes first. */
const MAX_LOCAL_MASKS = 512

/**
 * Which tokens are allowed at a place in a grammar.
 *
 * Most tokens are decided by the terminal alone, and that part is kept: strings are walked through the vocabulary
 * once for all strings of all grammars. Only what reaches beyond a terminal is walked anew.
 */
export class TokenMasks {
  private readonly locals = new WeakMap<Terminal, Map<number, LocalTokens>>()
  private readonly texts: TextTokens

  constructor(readonly trie: TokenTrie) {
    this.texts = new TextTokens(trie)
  }

  /** Tokens allowed in a state, uint32 with one bit a token. A new mask each time. */
  allowed(states: GrammarStates, id: number): TokenMask {
    const mask = newTokenMask(this.trie.vocabSize)
    for (const reading of states.state(id).readings) this.addReading(states, reading, mask)
    return mask
  }

  private addReading(states: GrammarStates, reading: Reading, mask: TokenMask): void {
    const local = this.local(reading.terminal, reading.state)
    addTokens(mask, local.tokens)
    if (local.exits.length === 0) return
    const behind = states.stateBehind(reading)
    if (behind === DEAD || states.state(behind).readings.length === 0) return
    for (const exit of local.exits) this.addBranch(states, behind, exit, mask)
  }

  /** Walk the children of a node. */
  private addBranch(states: GrammarStates, from: number, node: number, mask: TokenMask): void {
    const { trie } = this
    const end = trie.ends[node]!
    for (let child = node + 1; child < end; child = trie.ends[child]!) {
      const next = states.step(from, trie.bytes[child]!)
      if (next === DEAD) continue
      addNodeTokens(trie, child, mask)
      if (trie.ends[child]! > child + 1) this.addBranch(states, next, child, mask)
    }
  }

  private local(terminal: Terminal, state: number): LocalTokens {
    let known = this.locals.get(terminal)
    if (!known) {
      known = new Map()
      this.locals.set(terminal, known)
    }
    const found = known.get(state)
    if (found) return found
    const place = terminal.textPlace?.(state)
    const local = place ? this.texts.tokens(place) : this.walk(terminal, state)
    if (known.size >= MAX_LOCAL_MASKS) known.delete(known.keys().next().value!)
    known.set(state, local)
    return local
  }

  private walk(terminal: Terminal, start: number): LocalTokens {
    const { bytes, depths, ends, numNodes, maxDepth } = this.trie
    const found: number[] = []
    const exits: number[] = []
    const path = new Float64Array(maxDepth + 1)
    path[0] = start
    for (let node = 1; node < numNodes; ) {
      const depth = depths[node]!
      const state = terminal.step(path[depth - 1]!, bytes[node]!)
      if (state === DEAD) {
        node = ends[node]!
        continue
      }
      path[depth] = state
      pushNodeTokens(this.trie, node, found)
      if (ends[node]! > node + 1 && terminal.isAccepting(state)) exits.push(node)
      node = ends[node]! > node + 1 && !terminal.canContinue(state) ? ends[node]! : node + 1
    }
    return { tokens: compactTokens(found, this.trie.vocabSize), exits }
  }
}

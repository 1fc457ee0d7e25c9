import type { TokenTrie } from './token-trie.js'

/** A set of tokens, uint32 with one bit a token. */
export type TokenMask = Uint32Array<ArrayBuffer>

/** An empty set. */
export function newTokenMask(vocabSize: number): TokenMask {
  return new Uint32Array(Math.ceil(vocabSize / 32))
}

/** Add all tokens of a list or set. */
export function addTokens(mask: TokenMask, tokens: readonly number[] | TokenMask): void {
  if (tokens instanceof Uint32Array) {
    for (let word = 0; word < mask.length; word++) mask[word]! |= tokens[word]!
  } else for (const id of tokens) addToken(mask, id)
}

/** The smaller form of a list of tokens. */
export function compactTokens(ids: readonly number[], vocabSize: number): readonly number[] | TokenMask {
  if (ids.length < vocabSize / 64) return ids
  const mask = newTokenMask(vocabSize)
  for (const id of ids) addToken(mask, id)
  return mask
}

/** Add one token. */
export function addToken(mask: TokenMask, id: number): void {
  mask[id >>> 5]! |= 1 << (id & 31)
}

/** Is a token in the set? */
export function hasToken(mask: TokenMask, id: number): boolean {
  return ((mask[id >>> 5]! >>> (id & 31)) & 1) === 1
}

/** Add the tokens whose bytes lead to a node. */
export function addNodeTokens({ tokens, twins }: TokenTrie, node: number, mask: TokenMask): void {
  const id = tokens[node]!
  if (id < 0) return
  addToken(mask, id)
  if (twins.size > 0) addTokens(mask, twins.get(id) ?? [])
}

/** Take them out again. */
export function removeNodeTokens({ tokens, twins }: TokenTrie, node: number, mask: TokenMask): void {
  const id = tokens[node]!
  if (id < 0) return
  removeToken(mask, id)
  if (twins.size > 0) for (const twin of twins.get(id) ?? []) removeToken(mask, twin)
}

/** List them. */
export function pushNodeTokens({ tokens, twins }: TokenTrie, node: number, list: number[]): void {
  const id = tokens[node]!
  if (id < 0) return
  list.push(id)
  if (twins.size > 0) list.push(...(twins.get(id) ?? []))
}

function removeToken(mask: TokenMask, id: number): void {
  mask[id >>> 5]! &= ~(1 << (id & 31))
}

/** Rule out (-Infinity) in place every token that is not in the set. */
export function applyMask(logits: Float32Array, mask: TokenMask): void {
  for (let word = 0; word * 32 < logits.length; word++) {
    const bits = mask[word] ?? 0
    const start = word * 32
    if (bits === 0) logits.fill(-Infinity, start, start + 32)
    else if (bits !== 0xffffffff) {
      const end = Math.min(start + 32, logits.length)
      for (let id = start; id < end; id++) if (((bits >>> (id & 31)) & 1) === 0) logits[id] = -Infinity
    }
  }
}

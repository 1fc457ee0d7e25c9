/** All tokens of a vocabulary by their bytes, as a tree laid out in the order of a walk. */
export interface TokenTrie {
  /** Number of rows of the logits. */
  readonly vocabSize: number
  readonly numNodes: number
  /** Last byte of each node; the root is node 0. */
  readonly bytes: Uint8Array
  readonly depths: Uint16Array
  /** Node behind each node's branch. */
  readonly ends: Int32Array
  /** Token whose bytes lead to a node, -1 for none. */
  readonly tokens: Int32Array
  /** By the token of a node: further tokens of the same bytes. */
  readonly twins: ReadonlyMap<number, readonly number[]>
  readonly maxDepth: number
}

/** Longest token that is taken in, in bytes. */
const MAX_TOKEN_BYTES = 0xffff

/** Tokens that are read, or laid out, between two pauses. */
const TOKENS_PER_TURN = 8192

type KeyIds = Map<string, number | number[]>

/**
 * Build the tree.
 *
 * @param tokenBytes - bytes of a token; undefined for one that stands for no text, which is never allowed
 * @param nextTurn - waited for every few milliseconds, so that the thread is not blocked
 */
export async function buildTokenTrie(
  vocabSize: number,
  tokenBytes: (id: number) => Uint8Array | undefined,
  nextTurn: () => Promise<void>,
): Promise<TokenTrie> {
  const ids: KeyIds = new Map()
  const byFirst: string[][] = []
  for (let id = 0; id < vocabSize; id++) {
    if (id % TOKENS_PER_TURN === TOKENS_PER_TURN - 1) await nextTurn()
    const bytes = tokenBytes(id)
    if (bytes === undefined || bytes.length === 0 || bytes.length > MAX_TOKEN_BYTES) continue
    // one UTF-16 unit a byte: such strings sort as the bytes do, and fast
    const key = String.fromCharCode(...bytes)
    const known = ids.get(key)
    ids.set(key, known === undefined ? id : [known, id].flat())
    if (known === undefined) {
      byFirst[bytes[0]!] ??= []
      byFirst[bytes[0]!]!.push(key)
    }
  }
  const keys: string[] = []
  for (const group of byFirst) {
    if (group === undefined) continue
    if (group.length > TOKENS_PER_TURN) await nextTurn()
    for (const key of group.sort()) keys.push(key)
  }
  await nextTurn()
  return layOut(vocabSize, keys, ids, countNodes(keys), nextTurn)
}

function countNodes(keys: readonly string[]): number {
  let numNodes = 1
  let previous = ''
  for (const key of keys) {
    numNodes += key.length - commonLength(previous, key)
    previous = key
  }
  return numNodes
}

async function layOut(
  vocabSize: number,
  keys: readonly string[],
  ids: KeyIds,
  numNodes: number,
  nextTurn: () => Promise<void>,
): Promise<TokenTrie> {
  const bytes = new Uint8Array(numNodes)
  const depths = new Uint16Array(numNodes)
  const ends = new Int32Array(numNodes)
  const tokens = new Int32Array(numNodes).fill(-1)
  const twins = new Map<number, readonly number[]>()
  const path = [0]
  let previous = ''
  let node = 1
  let maxDepth = 0
  const closeTo = (depth: number) => {
    while (path.length > depth + 1) ends[path.pop()!] = node
  }
  for (const [index, key] of keys.entries()) {
    if (index % TOKENS_PER_TURN === TOKENS_PER_TURN - 1) await nextTurn()
    const common = commonLength(previous, key)
    closeTo(common)
    for (let depth = common; depth < key.length; depth++) {
      bytes[node] = key.charCodeAt(depth)
      depths[node] = depth + 1
      path.push(node++)
    }
    maxDepth = Math.max(maxDepth, key.length)
    const [first, ...others] = [ids.get(key)!].flat()
    tokens[node - 1] = first!
    if (others.length > 0) twins.set(first!, others)
    previous = key
  }
  closeTo(-1)
  return { vocabSize, numNodes, bytes, depths, ends, tokens, twins, maxDepth }
}

function commonLength(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  let common = 0
  while (common < length && a.charCodeAt(common) === b.charCodeAt(common)) common++
  return common
}

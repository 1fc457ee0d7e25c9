import { NVLMError } from '../../core/errors.js'
import { ANY_CODE_POINT, type CodePointSet } from './code-point-set.js'
import type { RegexNode } from './parse-regex.js'

/** Most nodes; counted repetitions are written out. */
const MAX_NODES = 50_000

/** A step over one code point of a set. */
export interface NfaEdge {
  /** Index into `Nfa.sets`. */
  readonly set: number
  readonly to: number
}

/** A non-deterministic automaton (Thompson's construction). */
export interface Nfa {
  readonly start: number
  /** The different sets of its edges. */
  readonly sets: readonly CodePointSet[]
  /** Edges of each node. */
  readonly edges: readonly (readonly NfaEdge[])[]
  /** Nodes reached without text. @param isAtStart - is this the beginning of the text, where `^` holds? */
  closure(nodes: readonly number[], isAtStart: boolean): ReadonlySet<number>
  /** May the text end at this node? @param isEmpty - has there been no text at all, so that `^` holds too? */
  canEnd(node: number, isEmpty: boolean): boolean
}

type Jump = 'always' | 'start' | 'end'

/**
 * The automaton of a regular expression.
 *
 * @param isWhole - match the whole text; else text may stand before and after the match
 * @throws {NVLMError} SCHEMA_UNSUPPORTED if it needs too many nodes
 */
export function buildNfa(regex: RegexNode, isWhole: boolean): Nfa {
  const builder = new NfaBuilder()
  const any: RegexNode = { type: 'repeat', item: { type: 'set', set: ANY_CODE_POINT }, min: 0, max: Infinity }
  const start = builder.node()
  const end = builder.add(isWhole ? regex : { type: 'sequence', items: [any, regex, any] }, start)
  return builder.finish(start, end)
}

class NfaBuilder {
  private readonly edges: NfaEdge[][] = []
  private readonly jumps: { readonly to: number; readonly when: Jump }[][] = []
  private readonly sets: CodePointSet[] = []
  private readonly setIds = new Map<string, number>()

  node(): number {
    if (this.edges.length >= MAX_NODES) throw tooLarge()
    this.jumps.push([])
    return this.edges.push([]) - 1
  }

  /** Write `regex` behind node `from`; gives the node behind it. */
  add(regex: RegexNode, from: number): number {
    if (regex.type === 'sequence') return regex.items.reduce((node, item) => this.add(item, node), from)
    if (regex.type === 'choice') {
      const end = this.node()
      for (const item of regex.items) {
        const start = this.node()
        this.jump(from, start)
        this.jump(this.add(item, start), end)
      }
      return end
    }
    if (regex.type === 'repeat') return this.addRepeat(regex, from)
    const end = this.node()
    if (regex.type === 'set') this.edges[from]!.push({ set: this.setId(regex.set), to: end })
    else this.jump(from, end, regex.type)
    return end
  }

  private addRepeat({ item, min, max }: Extract<RegexNode, { type: 'repeat' }>, from: number): number {
    if (min > MAX_NODES || (max !== Infinity && max > MAX_NODES)) throw tooLarge()
    let node = from
    for (let count = 0; count < min; count++) node = this.add(item, node)
    const end = this.node()
    if (max === Infinity) {
      const loop = this.node()
      this.jump(node, loop)
      this.jump(this.add(item, loop), loop)
      this.jump(loop, end)
      return end
    }
    this.jump(node, end)
    for (let count = min; count < max; count++) {
      node = this.add(item, node)
      this.jump(node, end)
    }
    return end
  }

  finish(start: number, end: number): Nfa {
    const { edges, sets, jumps } = this
    const reach = (nodes: readonly number[], ...also: readonly Jump[]): Set<number> => {
      const found = new Set(nodes)
      for (const node of found) {
        for (const { to, when } of jumps[node]!) if (when === 'always' || also.includes(when)) found.add(to)
      }
      return found
    }
    return {
      start,
      sets,
      edges,
      closure: (nodes, isAtStart) => (isAtStart ? reach(nodes, 'start') : reach(nodes)),
      canEnd: (node, isEmpty) => (isEmpty ? reach([node], 'end', 'start') : reach([node], 'end')).has(end),
    }
  }

  private jump(from: number, to: number, when: Jump = 'always'): void {
    this.jumps[from]!.push({ to, when })
  }

  private setId(set: CodePointSet): number {
    const key = set.join(';')
    const known = this.setIds.get(key)
    if (known !== undefined) return known
    this.setIds.set(key, this.sets.length)
    return this.sets.push(set) - 1
  }
}

function tooLarge(): NVLMError {
  return new NVLMError('SCHEMA_UNSUPPORTED', `the pattern needs more than ${MAX_NODES} nodes`, {
    hint: 'Make its counted repetitions smaller.',
  })
}

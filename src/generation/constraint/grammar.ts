import { LiteralTerminal } from './literal-terminal.js'
import { DEAD, type Terminal } from './terminal.js'

/** What a text must look like: terminals, put together. */
export type GrammarNode = TerminalNode | SequenceNode | ChoiceNode | LazyNode

interface TerminalNode {
  readonly kind: 'terminal'
  readonly id: number
  readonly terminal: Terminal
}

interface SequenceNode {
  readonly kind: 'sequence'
  readonly id: number
  readonly items: readonly GrammarNode[]
}

interface ChoiceNode {
  readonly kind: 'choice'
  readonly id: number
  readonly items: readonly GrammarNode[]
}

/** A node that is made when it is first needed, so that grammars can be recursive and long lists stay unwritten. */
interface LazyNode {
  readonly kind: 'lazy'
  readonly id: number
  readonly get: () => GrammarNode
}

let numNodes = 0

/** A string, number or literal. */
export function terminalNode(terminal: Terminal): GrammarNode {
  return { kind: 'terminal', id: numNodes++, terminal }
}

/** One of these texts, exactly. */
export function literalNode(...texts: readonly string[]): GrammarNode {
  return terminalNode(new LiteralTerminal(texts))
}

/** All of these, one behind the other. */
export function sequenceNode(...items: readonly GrammarNode[]): GrammarNode {
  return { kind: 'sequence', id: numNodes++, items }
}

/** One of these. */
export function choiceNode(items: readonly GrammarNode[]): GrammarNode {
  return items.length === 1 ? items[0]! : { kind: 'choice', id: numNodes++, items }
}

/** @param make - called once, when the node is first looked into */
export function lazyNode(make: () => GrammarNode): GrammarNode {
  let made: GrammarNode | undefined
  const get = () => {
    made ??= make()
    return made
  }
  return { kind: 'lazy', id: numNodes++, get }
}

/** Knows of nodes whether any text fits them; one per grammar. */
export class Productivity {
  private readonly known = new Map<number, boolean>()
  private readonly open = new Set<number>()
  private metOpen = false

  /** Is there a finite text that fits? */
  has(node: GrammarNode): boolean {
    const known = this.known.get(node.id)
    if (known !== undefined) return known
    if (this.open.has(node.id)) {
      this.metOpen = true
      return false
    }
    const isOutermost = this.open.size === 0
    if (isOutermost) this.metOpen = false
    this.open.add(node.id)
    const answer = this.look(node)
    this.open.delete(node.id)
    // a "no" that leans on a node still being looked at may turn out differently from elsewhere
    if (answer || isOutermost || !this.metOpen) this.known.set(node.id, answer)
    return answer
  }

  private look(node: GrammarNode): boolean {
    if (node.kind === 'terminal') return node.terminal.start !== DEAD
    if (node.kind === 'lazy') return this.has(node.get())
    return node.kind === 'sequence'
      ? node.items.every(item => this.has(item))
      : node.items.some(item => this.has(item))
  }
}

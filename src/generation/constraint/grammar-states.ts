import { type GrammarNode, Productivity } from './grammar.js'
import { DEAD, type Terminal } from './terminal.js'

/** What has to follow, as a linked list; equal lists are one object. */
interface Rest {
  readonly id: number
  readonly node: GrammarNode
  readonly then: Rest | undefined
}

/** One way in which the text so far can be read: inside a terminal, with what has to follow. */
export interface Reading {
  readonly terminal: Terminal
  readonly state: number
  readonly rest: Rest | undefined
}

/** All ways to read the text so far; equal sets have one number. */
export interface GrammarState {
  readonly readings: readonly Reading[]
  /** May the text end here? */
  readonly isAccepting: boolean
}

/** The start, where nothing has been read. */
export const FIRST_STATE = 0

/**
 * A grammar as an automaton over bytes whose states are made as they are met.
 *
 * A state is a set of readings, each a place in a terminal with a stack of what follows, so nesting has no limit.
 */
export class GrammarStates {
  private readonly states: GrammarState[] = []
  private readonly stateIds = new Map<string, number>()
  private readonly steps = new Map<number, number>()
  private readonly rests = new Map<string, Rest>()
  private readonly restStates = new Map<Rest | undefined, number>()
  private readonly terminalIds = new Map<Terminal, number>()
  private readonly productivity = new Productivity()
  private numRests = 0

  /** @param grammar - what the whole text must look like */
  constructor(grammar: GrammarNode) {
    this.expandInto(grammar, undefined)
  }

  /** Is there any text that fits? */
  get isPossible(): boolean {
    return this.states[FIRST_STATE]!.readings.length > 0 || this.states[FIRST_STATE]!.isAccepting
  }

  /** Number of states made so far. */
  get size(): number {
    return this.states.length
  }

  state(id: number): GrammarState {
    return this.states[id]!
  }

  /** State after one more byte, or `DEAD`. */
  step(id: number, byte: number): number {
    const key = id * 256 + byte
    const known = this.steps.get(key)
    if (known !== undefined) return known
    const gathered = new Gathering()
    for (const { terminal, state, rest } of this.states[id]!.readings) {
      const next = terminal.step(state, byte)
      if (next !== DEAD) this.enter({ terminal, state: next, rest }, gathered)
    }
    const next = this.idOf(gathered)
    this.steps.set(key, next)
    return next
  }

  /** State after more bytes, or `DEAD`. */
  run(id: number, bytes: Uint8Array): number {
    let state = id
    for (const byte of bytes) {
      if (state === DEAD) return DEAD
      state = this.step(state, byte)
    }
    return state
  }

  /** Does the whole text fit? */
  accepts(text: string): boolean {
    const state = this.run(FIRST_STATE, new TextEncoder().encode(text))
    return state !== DEAD && this.states[state]!.isAccepting
  }

  /** The state where only what follows `reading` is left; `DEAD` at the end of the grammar. */
  stateBehind({ rest }: Reading): number {
    const known = this.restStates.get(rest)
    if (known !== undefined) return known
    const gathered = new Gathering()
    this.follow(rest, gathered)
    const id = this.idOf(gathered)
    this.restStates.set(rest, id)
    return id
  }

  private expandInto(grammar: GrammarNode, rest: Rest | undefined): void {
    const gathered = new Gathering()
    this.expand(grammar, rest, gathered)
    if (this.idOf(gathered) === DEAD) this.states.push({ readings: [], isAccepting: false })
  }

  private expand(node: GrammarNode, rest: Rest | undefined, gathered: Gathering): void {
    if (!gathered.visit(node, rest)) return
    if (node.kind === 'terminal') {
      const { terminal } = node
      if (terminal.start !== DEAD) this.enter({ terminal, state: terminal.start, rest }, gathered)
    } else if (node.kind === 'lazy') this.expand(node.get(), rest, gathered)
    else if (node.kind === 'choice') {
      for (const item of node.items) {
        if (this.productivity.has(item)) this.expand(item, rest, gathered)
      }
    } else if (this.productivity.has(node)) {
      const [first, ...others] = node.items
      const then = others.reduceRight((tail, item) => this.restOf(item, tail), rest)
      if (first) this.expand(first, then, gathered)
      else this.follow(rest, gathered)
    }
  }

  private follow(rest: Rest | undefined, gathered: Gathering): void {
    if (rest) this.expand(rest.node, rest.then, gathered)
    else gathered.isAccepting = true
  }

  private enter(reading: Reading, gathered: Gathering): void {
    const { terminal, state, rest } = reading
    if (terminal.canContinue(state)) {
      gathered.readings.set(`${this.terminalId(terminal)}/${state}/${rest?.id ?? ''}`, reading)
    }
    if (terminal.isAccepting(state)) this.follow(rest, gathered)
  }

  private restOf(node: GrammarNode, then: Rest | undefined): Rest {
    const key = `${node.id}/${then?.id ?? ''}`
    const known = this.rests.get(key)
    if (known) return known
    const rest = { id: this.numRests++, node, then }
    this.rests.set(key, rest)
    return rest
  }

  private terminalId(terminal: Terminal): number {
    const known = this.terminalIds.get(terminal)
    if (known !== undefined) return known
    this.terminalIds.set(terminal, this.terminalIds.size)
    return this.terminalIds.size - 1
  }

  private idOf({ readings, isAccepting }: Gathering): number {
    if (readings.size === 0 && !isAccepting) return DEAD
    const key = `${[...readings.keys()].sort().join(' ')}${isAccepting ? '!' : ''}`
    const known = this.stateIds.get(key)
    if (known !== undefined) return known
    this.stateIds.set(key, this.states.length)
    return this.states.push({ readings: [...readings.values()], isAccepting }) - 1
  }
}

/** A state in the making. */
class Gathering {
  readonly readings = new Map<string, Reading>()
  isAccepting = false
  private readonly visited = new Map<GrammarNode, Set<Rest | undefined>>()

  /** False if this node with this rest has been looked into before. */
  visit(node: GrammarNode, rest: Rest | undefined): boolean {
    const rests = this.visited.get(node)
    if (rests?.has(rest)) return false
    if (rests) rests.add(rest)
    else this.visited.set(node, new Set([rest]))
    return true
  }
}

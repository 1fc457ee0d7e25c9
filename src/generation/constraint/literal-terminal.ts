import { DEAD, type Terminal } from './terminal.js'

interface LiteralNode {
  readonly next: Map<number, number>
  isEnd: boolean
}

/** One of several texts, letter by letter. */
export class LiteralTerminal implements Terminal {
  readonly start: number
  private readonly nodes: LiteralNode[] = [{ next: new Map(), isEnd: false }]

  /** @param texts - well-formed */
  constructor(texts: readonly string[]) {
    this.start = texts.length === 0 ? DEAD : 0
    const encoder = new TextEncoder()
    for (const text of texts) this.add(encoder.encode(text))
  }

  step(state: number, byte: number): number {
    return this.nodes[state]!.next.get(byte) ?? DEAD
  }

  isAccepting(state: number): boolean {
    return this.nodes[state]!.isEnd
  }

  canContinue(state: number): boolean {
    return this.nodes[state]!.next.size > 0
  }

  private add(bytes: Uint8Array): void {
    let state = 0
    for (const byte of bytes) {
      const node = this.nodes[state]!
      let next = node.next.get(byte)
      if (next === undefined) {
        next = this.nodes.push({ next: new Map(), isEnd: false }) - 1
        node.next.set(byte, next)
      }
      state = next
    }
    this.nodes[state]!.isEnd = true
  }
}

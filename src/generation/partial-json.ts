/**
 * The value of JSON text that may break off anywhere.
 *
 * What is certain is there: whole properties and items, strings as far as they go, objects and lists that are still
 * open. Numbers, `true`, `false` and `null` are left out until something follows them, since `1` may become `12`.
 *
 * @returns undefined while nothing is certain, or for what is no JSON
 */
export function parsePartialJSON(text: string): unknown {
  const reader = new PartialReader(text)
  const found = reader.value()
  return found === MISSING ? undefined : found
}

const MISSING = Symbol('not there yet')

/** `MISSING` is given for what can't be read, and ends everything around it. */
class PartialReader {
  private place = 0
  private isCut = false

  constructor(private readonly text: string) {}

  value(): unknown {
    this.skipSpace()
    const first = this.text[this.place]
    if (first === undefined) return this.cut()
    if (first === '{') return this.object()
    if (first === '[') return this.array()
    return first === '"' ? this.string() : this.scalar()
  }

  private object(): unknown {
    const entries: [string, unknown][] = []
    this.place++
    for (;;) {
      this.skipSpace()
      if (this.take('}') || this.isAtEnd()) break
      const name = this.string()
      this.skipSpace()
      if (typeof name !== 'string' || this.isCut || !this.take(':')) break
      const value = this.value()
      if (value === MISSING) break
      entries.push([name, value])
      this.skipSpace()
      if (this.isCut || !this.take(',')) {
        this.take('}')
        break
      }
    }
    return Object.fromEntries(entries)
  }

  private array(): unknown {
    const items: unknown[] = []
    this.place++
    for (;;) {
      this.skipSpace()
      if (this.take(']') || this.isAtEnd()) break
      const value = this.value()
      if (value === MISSING) break
      items.push(value)
      this.skipSpace()
      if (this.isCut || !this.take(',')) {
        this.take(']')
        break
      }
    }
    return items
  }

  private string(): unknown {
    const match = /"(?:[^"\\]|\\(?:u[0-9a-fA-F]{4}|[^u]))*/y
    match.lastIndex = this.place
    const source = match.exec(this.text)?.[0]
    if (source === undefined) return this.cut()
    this.place += source.length
    if (!this.take('"')) this.isCut = true
    try {
      return JSON.parse(`${source}"`)
    } catch {
      return this.cut()
    }
  }

  private scalar(): unknown {
    const match = /[^\s,\]}:]*/y
    match.lastIndex = this.place
    const source = match.exec(this.text)?.[0] ?? ''
    this.place += source.length
    if (this.place >= this.text.length) return this.cut()
    try {
      return JSON.parse(source)
    } catch {
      return this.cut()
    }
  }

  private cut(): typeof MISSING {
    this.isCut = true
    return MISSING
  }

  private isAtEnd(): boolean {
    const isAtEnd = this.place >= this.text.length
    this.isCut ||= isAtEnd
    return isAtEnd
  }

  private skipSpace(): void {
    while (/\s/.test(this.text[this.place] ?? '')) this.place++
  }

  private take(character: string): boolean {
    const isThere = this.text[this.place] === character
    if (isThere) this.place++
    return isThere
  }
}

interface Sized<Value> {
  readonly value: Value
  readonly numBytes: number
}

/** Values by key within a budget of bytes; the least recently used go first. */
export class ByteLru<Value> {
  private readonly entries = new Map<string, Sized<Value>>()
  private total = 0

  /** @param maxBytes - 0 keeps nothing */
  constructor(private readonly maxBytes: number) {}

  /** Sum of the values' bytes. */
  get byteLength(): number {
    return this.total
  }

  get(key: string): Value | undefined {
    const entry = this.entries.get(key)
    if (entry === undefined) return undefined
    // a Map keeps the order of insertion: the last one is the most recently used
    this.entries.delete(key)
    this.entries.set(key, entry)
    return entry.value
  }

  /** Keep a value. One that is larger than the whole budget is not kept, and pushes nothing out. */
  set(key: string, value: Value, numBytes: number): void {
    this.delete(key)
    if (numBytes > this.maxBytes) return
    this.entries.set(key, { value, numBytes })
    this.total += numBytes
    for (const oldest of this.entries.keys()) {
      if (this.total <= this.maxBytes) return
      this.delete(oldest)
    }
  }

  clear(): void {
    this.entries.clear()
    this.total = 0
  }

  private delete(key: string): void {
    this.total -= this.entries.get(key)?.numBytes ?? 0
    this.entries.delete(key)
  }
}

/** A part of a file that is written at once. */
export interface WrittenPart {
  /** Name of the data file. */
  readonly file: string
  /** In bytes. */
  readonly offset: number
}

/** Knows up to where each file has been written without a gap, when its parts are written in any order. */
export class WriteFrontier {
  private readonly files = new Map<string, FileFrontier>()

  /**
   * @param parts - everything that is still to be written
   * @param onAdvance - called with a file when all that lies before `end` is written
   */
  constructor(
    parts: Iterable<WrittenPart>,
    private readonly onAdvance: (file: string, end: number) => void,
  ) {
    for (const { file, offset } of parts) {
      const known = this.files.get(file)
      if (known === undefined) this.files.set(file, { offsets: [offset], next: 0, written: new Set() })
      else known.offsets.push(offset)
    }
    for (const { offsets } of this.files.values()) offsets.sort((a, b) => a - b)
  }

  /** One of the parts is written. */
  add({ file, offset }: WrittenPart): void {
    const frontier = this.files.get(file)!
    const before = frontier.next
    frontier.written.add(offset)
    while (frontier.written.delete(frontier.offsets[frontier.next]!)) frontier.next++
    // what lies before the next part is whole; the end of the last is not known here
    const end = frontier.offsets[frontier.next]
    if (frontier.next > before && end !== undefined) this.onAdvance(file, end)
  }
}

interface FileFrontier {
  /** Of all parts, rising. */
  readonly offsets: number[]
  /** Index of the first that is not written. */
  next: number
  /** Those behind it that are. */
  readonly written: Set<number>
}

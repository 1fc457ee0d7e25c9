import { type ByteRange, ByteRanges } from '../../byte-ranges.js'

/** One line of a journal: a range that is in the file, the server's name for the bytes, or that all before is void. */
export type JournalEntry = ByteRange | { readonly etag: string } | 'forget'

/** What a journal says is there. */
export interface JournalState {
  readonly ranges: readonly ByteRange[]
  readonly etag: string | undefined
}

const RANGE_LINE = /^(\d{1,16})-(\d{1,16})$/

/** Entries as lines of text. */
export function journalText(entries: readonly JournalEntry[]): string {
  return entries.map(entry => `${lineOf(entry)}\n`).join('')
}

function lineOf(entry: JournalEntry): string {
  if (entry === 'forget') return 'forget'
  return 'etag' in entry ? `etag ${JSON.stringify(entry.etag)}` : `${entry.start}-${entry.end}`
}

/**
 * Read a journal. A last line without its end was being written when the process was killed, and does not count.
 *
 * @param size - bytes of the file that is received; ranges beyond it do not count
 */
export function parseJournal(text: string, size: number): JournalState {
  let ranges = new ByteRanges()
  let etag: string | undefined
  for (const line of text.split('\n').slice(0, -1)) {
    const [, start, end] = RANGE_LINE.exec(line) ?? []
    if (start !== undefined && Number(end) <= size) ranges.add({ start: Number(start), end: Number(end) })
    else if (line.startsWith('etag ')) etag = parseEtag(line.slice(5))
    else if (line === 'forget') {
      ranges = new ByteRanges()
      etag = undefined
    }
  }
  return { ranges: ranges.list, etag }
}

function parseEtag(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

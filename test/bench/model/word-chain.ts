import { randomWords } from './grid-matrix.js'

/** Lower-case words with a space in front, which a tokeniser reads back as they were written. */
const WORD = /^Ġ[a-z]{2,}$/

/** Id of the line break that ends a prompt. */
const NEWLINE = 198

/** The words that the model says one after the other. */
export interface WordChain {
  /** After a line break it says the first word, after each word the next. */
  readonly words: readonly string[]
  /** Their token ids. */
  readonly ids: readonly number[]
  /** The token that a token follows; itself for all that are no words. */
  predecessor(token: number): number
}

/** Put all words of a vocabulary into a random order. */
export function wordChain(vocabulary: Readonly<Record<string, number>>): WordChain {
  const entries = Object.entries(vocabulary).filter(([text]) => WORD.test(text))
  const random = randomWords(7, 0)
  for (let i = entries.length - 1; i > 0; i--) {
    const other = random() % (i + 1)
    ;[entries[i], entries[other]] = [entries[other]!, entries[i]!]
  }
  const ids = entries.map(([, id]) => id)
  const before = new Map(ids.map((id, index) => [id, index === 0 ? NEWLINE : ids[index - 1]!]))
  before.set(NEWLINE, ids.at(-1) ?? NEWLINE)
  return {
    words: entries.map(([text]) => text.slice(1)),
    ids,
    predecessor: token => before.get(token) ?? token,
  }
}

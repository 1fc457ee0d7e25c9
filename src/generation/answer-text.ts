import { createStopFilter } from './stop-strings.js'
import { createStripFilter } from './strip-filter.js'

/** Turns tokens into text piece by piece, whole characters only. */
export interface TokenTextStream {
  push(tokenId: number): string
  /** What an unfinished character at the end becomes. */
  flush(): string
}

/** The text of an answer in the making. */
export interface AnswerText {
  /** Has a stop string ended the answer? */
  readonly isStopped: boolean
  /** Everything that came out so far. */
  readonly text: string
  /** Take a token; gives the text that is certain now. */
  push(tokenId: number): string
  /** End of the answer: gives the rest. */
  end(): string
}

/**
 * Text as the official `chat()` gives it, in pieces: decoded, cut before the first stop string, white space stripped.
 *
 * The pieces joined equal the whole exactly.
 *
 * @param keepsSpace - leave white space at the ends, for an answer that is held to a format
 */
export function createAnswerText(
  tokens: TokenTextStream,
  stopStrings: readonly string[],
  { keepsSpace = false }: { readonly keepsSpace?: boolean } = {},
): AnswerText {
  const stop = createStopFilter(stopStrings)
  const strip = keepsSpace ? { push: (piece: string) => piece } : createStripFilter()
  let text = ''
  const emit = (piece: string) => {
    const delta = strip.push(piece)
    text += delta
    return delta
  }
  return {
    get isStopped() {
      return stop.isStopped
    },
    get text() {
      return text
    },
    push: tokenId => emit(stop.push(tokens.push(tokenId))),
    end: () => emit(stop.push(tokens.flush()) + stop.flush()),
  }
}

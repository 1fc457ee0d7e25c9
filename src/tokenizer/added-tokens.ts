/** A token that is matched as a whole before BPE, such as `<|im_end|>`. */
export interface AddedToken {
  readonly id: number
  readonly text: string
  /** Left out of decoded text by `skipSpecial`. */
  readonly isSpecial: boolean
}

/** A piece of text: plain, or one added token. */
export type TextOrToken = { readonly text: string } | { readonly id: number }

/** Finds added tokens in text: leftmost first, then longest. */
export class AddedTokenMatcher {
  private readonly pattern: RegExp | undefined
  private readonly ids: ReadonlyMap<string, number>

  constructor(tokens: readonly AddedToken[]) {
    this.ids = new Map(tokens.map(token => [token.text, token.id]))
    const texts = [...this.ids.keys()].sort((a, b) => b.length - a.length)
    this.pattern = texts.length === 0 ? undefined : new RegExp(texts.map(escapePattern).join('|'), 'g')
  }

  /** Split text around the added tokens in it. */
  split(text: string): readonly TextOrToken[] {
    const parts: TextOrToken[] = []
    let from = 0
    for (const match of this.pattern === undefined ? [] : text.matchAll(this.pattern)) {
      if (match.index > from) parts.push({ text: text.slice(from, match.index) })
      parts.push({ id: this.ids.get(match[0])! })
      from = match.index + match[0].length
    }
    if (from < text.length) parts.push({ text: text.slice(from) })
    return parts
  }
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}

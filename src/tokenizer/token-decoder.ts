import type { AddedToken } from './added-tokens.js'
import type { BaseTokenizer } from './base-tokenizer.js'

/** How ids are turned into text. */
export interface DecodeOptions {
  /** Leave out the special tokens, such as `<|im_end|>`. Default true. */
  readonly skipSpecial?: boolean | undefined
}

/** Turns ids into text as they come. */
export interface TokenTextStream {
  /**
   * Text that this id completes: every character as soon as its last byte is there, `''` while it is not.
   * @throws {NVLMError} INVALID_OPTION for an id outside of the vocabulary
   */
  push(id: number): string
  /** The rest: U+FFFD for a character that was never completed. The stream can be used again from the start. */
  flush(): string
}

const NO_BYTES = new Uint8Array(0)

/** Turns token ids into text. Ids without a token (the padding rows of an embedding table) are empty. */
export class TokenDecoder {
  private readonly bytes: (Uint8Array | undefined)[] = []
  private readonly addedTokens: ReadonlyMap<number, AddedToken>

  constructor(
    private readonly base: BaseTokenizer,
    addedTokens: readonly AddedToken[],
  ) {
    this.addedTokens = new Map(addedTokens.map(token => [token.id, token]))
  }

  /** Text of a whole sequence. Bytes that are no UTF-8 become U+FFFD. */
  decode(ids: Iterable<number>, { skipSpecial = true }: DecodeOptions = {}): string {
    const utf8 = newUtf8Decoder()
    let text = ''
    let pending: Uint8Array[] = []
    const flush = (): void => {
      text += this.withoutFirstSpace(utf8.decode(concatenate(pending)))
      pending = []
    }
    for (const id of ids) {
      const added = this.addedTokens.get(id)
      if (added === undefined) pending.push(this.bytesOf(id))
      else if (!(skipSpecial && added.isSpecial)) {
        flush()
        text += added.text
      }
    }
    flush()
    return text
  }

  /** The same text in steps. */
  stream({ skipSpecial = true }: DecodeOptions = {}): TokenTextStream {
    const utf8 = newUtf8Decoder()
    let isFirst = true
    const take = (text: string): string => {
      if (text === '' || !isFirst) return text
      isFirst = false
      return this.withoutFirstSpace(text)
    }
    const end = (): string => {
      const text = take(utf8.decode())
      isFirst = true
      return text
    }
    const push = (id: number): string => {
      const added = this.addedTokens.get(id)
      if (added === undefined) return take(utf8.decode(this.bytesOf(id), { stream: true }))
      return skipSpecial && added.isSpecial ? '' : end() + added.text
    }
    return { push, flush: end }
  }

  /** The text of a run of base tokens without the space that encoding put before it. */
  private withoutFirstSpace(text: string): string {
    return this.base.dropsFirstSpace && text.startsWith(' ') ? text.slice(1) : text
  }

  /** Bytes of one token's text, those of added tokens too. The caller may change them. */
  tokenBytes(id: number): Uint8Array {
    const added = this.addedTokens.get(id)
    return added === undefined ? this.bytesOf(id).slice() : new TextEncoder().encode(added.text)
  }

  private bytesOf(id: number): Uint8Array {
    const bytes = this.bytes[id] ?? this.base.tokenBytes(id) ?? NO_BYTES
    this.bytes[id] = bytes
    return bytes
  }
}

/** A byte order mark is a character like any other here. */
function newUtf8Decoder(): InstanceType<typeof TextDecoder> {
  return new TextDecoder('utf-8', { ignoreBOM: true })
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((size, part) => size + part.byteLength, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.byteLength
  }
  return bytes
}

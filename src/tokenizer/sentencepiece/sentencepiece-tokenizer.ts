import { NVLMError } from '../../core/errors.js'
import { CharsMap } from '../../formats/sentencepiece-chars-map.js'
import type { SentencePieceModel } from '../../formats/sentencepiece-model.js'
import type { BaseTokenizer } from '../base-tokenizer.js'
import { mergeSymbols, type RankOf } from './merge-symbols.js'

/** What SentencePiece writes for a space, U+2581. */
const SPACE = '\u2581'

const utf8 = new TextEncoder()
const utf8Text = new TextDecoder('utf-8', { ignoreBOM: true })

/** Plain text to pieces as SentencePiece does it, for models of kind BPE. */
export class SentencePieceTokenizer implements BaseTokenizer {
  readonly ids: ReadonlyMap<string, number>
  readonly normalization = undefined
  readonly dropsFirstSpace: boolean
  private readonly charsMap: CharsMap | undefined
  private readonly rankOf: RankOf
  /** Matched in the text before any merge, the longest first. */
  private readonly userDefined: RegExp | undefined
  private readonly userTexts: ReadonlySet<string>
  private readonly byteIds: readonly number[] | undefined
  private readonly unknownId: number | undefined

  /**
   * @param reserved - ids that added tokens have taken: no text leads to them
   * @param name - of the file, for messages
   * @param merges - ranks of pairs where a file lists them; default: by the score of the piece that a pair becomes
   * @throws {NVLMError} MODEL_INVALID if the byte pieces are not complete
   */
  constructor(
    private readonly model: SentencePieceModel,
    reserved: ReadonlySet<number>,
    name: string,
    merges?: RankOf,
  ) {
    const { pieces, charsMap } = model
    this.dropsFirstSpace = model.dropsFirstSpace
    this.charsMap = charsMap.length === 0 ? undefined : new CharsMap(charsMap, name)
    const mergeable = new Map<string, number>()
    for (const [id, { text, kind }] of pieces.entries()) {
      const isText = kind === 'normal' || kind === 'user-defined'
      if (isText && !reserved.has(id) && !mergeable.has(text)) mergeable.set(text, id)
    }
    this.ids = mergeable
    this.rankOf = merges ?? rankByScore(mergeable, pieces)
    const userTexts = [...mergeable].flatMap(([text, id]) =>
      pieces[id]!.kind === 'user-defined' ? [text] : [],
    )
    this.userTexts = new Set(userTexts)
    this.userDefined = userTexts.length === 0 ? undefined : longestFirst(userTexts)
    const unknown = pieces.findIndex(({ kind }) => kind === 'unknown')
    this.unknownId = unknown < 0 ? undefined : unknown
    this.byteIds = model.byteFallback ? findBytes(model, name) : undefined
    if (this.byteIds === undefined && this.unknownId === undefined) {
      throw new NVLMError('MODEL_INVALID', `${name}: has neither byte pieces nor one for unknown text`)
    }
  }

  encodeInto(text: string, ids: number[]): void {
    const symbols = this.symbolsOf(this.normalize(utf8Text.decode(utf8.encode(text))))
    const merged = mergeSymbols(symbols, symbol => this.userTexts.has(symbol), this.rankOf)
    let isAfterUnknown = false
    for (const symbol of merged) {
      const id = this.ids.get(symbol)
      if (id !== undefined) ids.push(id)
      else if (this.byteIds !== undefined) {
        for (const byte of utf8.encode(symbol)) ids.push(this.byteIds[byte]!)
      } else if (!isAfterUnknown) ids.push(this.unknownId!)
      isAfterUnknown = id === undefined
    }
  }

  tokenBytes(id: number): Uint8Array | undefined {
    const piece = this.model.pieces[id]
    switch (piece?.kind) {
      case 'normal':
      case 'user-defined':
        return utf8.encode(piece.text.replaceAll(SPACE, ' '))
      case 'byte':
        return Uint8Array.of(Number.parseInt(piece.text.slice(3, 5), 16))
      case 'unknown':
        return utf8.encode(this.model.unknownSurface)
      case 'control':
        return new Uint8Array(0)
      case undefined:
        return undefined
    }
  }

  private normalize(text: string): string {
    const { addsDummyPrefix, removesExtraSpaces } = this.model
    const rewritten = this.charsMap?.rewrite(text) ?? text
    const spaced = removesExtraSpaces ? rewritten.replace(/ +/g, ' ').replace(/^ | $/g, '') : rewritten
    const prefixed = addsDummyPrefix && spaced !== '' ? ` ${spaced}` : spaced
    return prefixed.replaceAll(' ', SPACE)
  }

  private symbolsOf(text: string): readonly string[] {
    if (this.userDefined === undefined) return [...text]
    return text.split(this.userDefined).flatMap((part, index) => (index % 2 === 1 ? [part] : [...part]))
  }
}

/** The highest score has rank 0; equal scores have equal ranks. */
function rankByScore(ids: ReadonlyMap<string, number>, pieces: SentencePieceModel['pieces']): RankOf {
  const scores = [...new Set([...ids.values()].map(id => pieces[id]!.score))].sort((a, b) => b - a)
  const rankOf = new Map(scores.map((score, rank) => [score, rank]))
  const ranks = new Map([...ids].map(([text, id]) => [text, rankOf.get(pieces[id]!.score)!]))
  return (left, right) => ranks.get(left + right)
}

function longestFirst(texts: readonly string[]): RegExp {
  const escaped = [...texts]
    .sort((a, b) => b.length - a.length)
    .map(text => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'))
  return new RegExp(`(${escaped.join('|')})`)
}

function findBytes({ pieces }: SentencePieceModel, name: string): readonly number[] {
  const byText = new Map(pieces.map(({ text, kind }, id) => [kind === 'byte' ? text : '', id]))
  return Array.from({ length: 256 }, (_, byte) => {
    const text = `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`
    const id = byText.get(text)
    if (id !== undefined) return id
    throw new NVLMError('MODEL_INVALID', `${name}: has no piece ${text}, which its byte fallback needs`)
  })
}

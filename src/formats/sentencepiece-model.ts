import { NVLMError } from '../core/errors.js'
import { damagedFile } from './damaged-file.js'
import { quoted } from './file-name.js'
import { type ProtobufField, readProtobuf } from './protobuf-reader.js'

/** What a piece of a SentencePiece vocabulary is. */
export type PieceKind = 'normal' | 'unknown' | 'control' | 'user-defined' | 'byte'

/** One entry of the vocabulary; its place in the list is its id. */
export interface SentencePiece {
  readonly text: string
  /** Pairs with higher scores merge first. */
  readonly score: number
  readonly kind: PieceKind
}

/** A SentencePiece model of kind BPE. */
export interface SentencePieceModel {
  readonly pieces: readonly SentencePiece[]
  /** Are characters without a piece written as bytes? */
  readonly byteFallback: boolean
  /** What unknown pieces are decoded to. */
  readonly unknownSurface: string
  /** The rewriting table, empty for none. */
  readonly charsMap: Uint8Array
  /** Is a space put before every run of text? */
  readonly addsDummyPrefix: boolean
  /** Is a space at the start of decoded text taken away? */
  readonly dropsFirstSpace: boolean
  readonly removesExtraSpaces: boolean
}

const MAX_PIECES = 2 ** 22
const KINDS: readonly (PieceKind | undefined)[] = [
  undefined,
  'normal',
  'unknown',
  'control',
  'user-defined',
  undefined,
  'byte',
]
const MODEL_TYPES = ['unknown', 'unigram', 'BPE', 'word', 'char']
const CONVERT_HINT =
  'Convert it: AutoTokenizer.from_pretrained(folder).save_pretrained(folder) of transformers writes a tokenizer.json.'

/**
 * Read a `tokenizer.model`.
 *
 * @throws {NVLMError} MODEL_INVALID naming what is broken, MODEL_UNSUPPORTED for other kinds than BPE
 * @see google/sentencepiece `src/sentencepiece_model.proto`
 */
export function parseSentencePieceModel(bytes: Uint8Array, name: string): SentencePieceModel {
  const pieces: SentencePiece[] = []
  let trainer: Fields = new Map()
  let normalizer: Fields = new Map()
  for (const { number, value } of readProtobuf(bytes, name)) {
    if (number === 1) pieces.push(parsePiece(message(value, name), pieces.length, name))
    if (number === 2) trainer = message(value, name)
    if (number === 3) normalizer = message(value, name)
    if (pieces.length > MAX_PIECES) damagedFile(`${name}: has more than ${MAX_PIECES} pieces`)
  }
  if (pieces.length === 0) damagedFile(`${name}: has no pieces; not a SentencePiece model`)
  const type = MODEL_TYPES[numberOf(trainer, 3, 1)] ?? 'unknown'
  if (type !== 'BPE') {
    throw new NVLMError(
      'MODEL_UNSUPPORTED',
      `${name}: is a SentencePiece model of kind ${type}, supported is BPE`,
    )
  }
  for (const [spec, field, expected, what] of [
    [trainer, 24, 0, 'treat_whitespace_as_suffix'],
    [normalizer, 5, 1, 'escape_whitespaces'],
  ] as const) {
    if (numberOf(spec, field, expected) === expected) continue
    throw new NVLMError('MODEL_UNSUPPORTED', `${name}: ${what} is not supported`, { hint: CONVERT_HINT })
  }
  const charsMap = normalizer.get(2)
  return {
    pieces,
    byteFallback: numberOf(trainer, 35, 0) === 1,
    unknownSurface: textOf(trainer, 44, ' \u2047 ', name),
    charsMap: charsMap instanceof Uint8Array ? charsMap : new Uint8Array(0),
    addsDummyPrefix: numberOf(normalizer, 3, 1) === 1,
    dropsFirstSpace: numberOf(normalizer, 3, 1) === 1,
    removesExtraSpaces: numberOf(normalizer, 4, 1) === 1,
  }
}

/** Field number → its last value. */
type Fields = ReadonlyMap<number, ProtobufField['value']>

function message(value: ProtobufField['value'], name: string): Fields {
  if (typeof value === 'number') return damagedFile(`${name}: a number where a message belongs`)
  return new Map([...readProtobuf(value, name)].map(field => [field.number, field.value]))
}

function parsePiece(fields: Fields, id: number, name: string): SentencePiece {
  const text = textOf(fields, 1, '', name)
  const kind = KINDS[numberOf(fields, 3, 1)]
  if (text === '') damagedFile(`${name}: piece ${id} has no text`)
  if (kind === undefined) {
    throw new NVLMError(
      'MODEL_UNSUPPORTED',
      `${name}: piece ${id}, ${quoted(text)}, is of an unsupported kind`,
      {
        hint: CONVERT_HINT,
      },
    )
  }
  const score = numberOf(fields, 2, 0)
  if (Number.isNaN(score)) damagedFile(`${name}: piece ${id} has no score`)
  return { text, score, kind }
}

function numberOf(fields: Fields, number: number, fallback: number): number {
  const value = fields.get(number)
  return typeof value === 'number' ? value : fallback
}

function textOf(fields: Fields, number: number, fallback: string, name: string): string {
  const value = fields.get(number)
  if (!(value instanceof Uint8Array)) return fallback
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(value)
  } catch (cause) {
    return damagedFile(`${name}: a text that is not UTF-8`, { cause })
  }
}

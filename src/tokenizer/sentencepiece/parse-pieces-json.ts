import { damagedFile } from '../../formats/damaged-file.js'
import { quoted, quotedValue } from '../../formats/file-name.js'
import type { SentencePiece, SentencePieceModel } from '../../formats/sentencepiece-model.js'
import { parseMergeList, requireEqual, unsupported } from '../parse-tokenizer-json.js'
import { MAX_TOKEN_ID } from '../token-id.js'
import { fieldOf } from '../tokenizer-files.js'
import type { RankOf } from './merge-symbols.js'

/** What SentencePiece writes for a space. */
const SPACE = '\u2581'
const BYTE = /^<0x[0-9A-F]{2}>$/

/** Does a tokenizer.json spell a SentencePiece model? Byte-level ones need no other way to write bytes. */
export function isPiecesJson(json: unknown): boolean {
  return fieldOf(fieldOf(json, 'model'), 'byte_fallback') === true
}

/**
 * Read a tokenizer.json that was made from a SentencePiece model, as transformers does for Llama 2 and InternLM2.
 *
 * @returns the model, and the ranks of its merges, which are listed pair by pair
 * @throws {NVLMError} MODEL_UNSUPPORTED naming the part that is different, MODEL_INVALID naming what is broken
 */
export function parsePiecesJson(json: unknown): {
  readonly model: SentencePieceModel
  readonly rankOf: RankOf
} {
  const model = fieldOf(json, 'model')
  requireEqual('model.type', fieldOf(model, 'type') ?? 'BPE', 'BPE')
  requireEqual('model.dropout', fieldOf(model, 'dropout') ?? 0, 0)
  requireEqual('model.ignore_merges', fieldOf(model, 'ignore_merges') ?? false, false)
  requirePreTokenizer(fieldOf(json, 'pre_tokenizer'))
  const ranks = new Map(
    parseMergeList(fieldOf(model, 'merges')).map(([left, right], rank) => [`${left}\0${right}`, rank]),
  )
  return {
    model: {
      pieces: parsePieces(fieldOf(model, 'vocab'), fieldOf(model, 'unk_token')),
      byteFallback: true,
      unknownSurface: '',
      charsMap: new Uint8Array(0),
      addsDummyPrefix: addsPrefix(fieldOf(json, 'normalizer')),
      dropsFirstSpace: stepsOf(fieldOf(json, 'decoder'), 'decoders').some(
        step => fieldOf(step, 'type') === 'Strip' && fieldOf(step, 'start') === 1,
      ),
      removesExtraSpaces: false,
    },
    rankOf: (left, right) => ranks.get(`${left}\0${right}`),
  }
}

function requirePreTokenizer(preTokenizer: unknown): void {
  if (preTokenizer === null || preTokenizer === undefined) return
  requireEqual('pre_tokenizer type', fieldOf(preTokenizer, 'type'), 'Metaspace')
  requireEqual('pre_tokenizer replacement', fieldOf(preTokenizer, 'replacement'), SPACE)
  requireEqual('pre_tokenizer prepend_scheme', fieldOf(preTokenizer, 'prepend_scheme'), 'never')
  requireEqual('pre_tokenizer split', fieldOf(preTokenizer, 'split'), false)
}

/** Spaces become U+2581 in any case; is one put first? */
function addsPrefix(normalizer: unknown): boolean {
  let adds = false
  for (const step of stepsOf(normalizer, 'normalizers')) {
    const type = fieldOf(step, 'type')
    if (type === 'Prepend') {
      requireEqual('normalizer prepend', fieldOf(step, 'prepend'), SPACE)
      adds = true
    } else if (type === 'Replace') {
      requireEqual('normalizer pattern', fieldOf(fieldOf(step, 'pattern'), 'String'), ' ')
      requireEqual('normalizer content', fieldOf(step, 'content'), SPACE)
    } else throw unsupported('normalizer.type', type, 'Prepend or Replace')
  }
  return adds
}

function stepsOf(part: unknown, name: string): readonly unknown[] {
  if (part === null || part === undefined) return []
  const steps = fieldOf(part, name)
  return Array.isArray(steps) ? steps : [part]
}

function parsePieces(vocab: unknown, unknownToken: unknown): readonly SentencePiece[] {
  const file = 'tokenizer.json'
  if (typeof vocab !== 'object' || vocab === null || Array.isArray(vocab)) {
    return damagedFile(`${file}: expected an object of token → id`)
  }
  const pieces: SentencePiece[] = []
  for (const [text, id] of Object.entries(vocab as Readonly<Record<string, unknown>>)) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > MAX_TOKEN_ID) {
      return damagedFile(`${file}: id of token ${quoted(text)} is ${quotedValue(id)}`)
    }
    if (pieces[id] !== undefined)
      return damagedFile(`${file}: id ${id} of token ${quoted(text)} is there twice`)
    const kind = BYTE.test(text) ? 'byte' : text === unknownToken ? 'unknown' : 'normal'
    pieces[id] = { text, score: 0, kind }
  }
  for (let id = 0; id < pieces.length; id++) {
    if (pieces[id] === undefined) return damagedFile(`${file}: no token has the id ${id} of ${pieces.length}`)
  }
  return pieces
}

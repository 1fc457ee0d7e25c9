import { NVLMError } from '../core/errors.js'
import { quoted } from '../formats/file-name.js'
import { type AddedToken, AddedTokenMatcher } from './added-tokens.js'
import { type EncodedPrompt, encodeWithPlaces } from './encoded-prompt.js'
import type { Message } from './messages.js'
import { joinByOrigin, normalizePieces } from './normalize-pieces.js'
import type { PromptFormat, PromptPiece } from './prompt-format.js'
import { type DecodeOptions, TokenDecoder, type TokenTextStream } from './token-decoder.js'
import type { TokenizerFiles } from './tokenizer-files.js'
import type { ToolDefinition } from './tools.js'
import { parseVocabulary, type Vocabulary } from './vocabulary.js'

/** What a tokenizer may be told beside its files. */
export interface TokenizerOptions {
  /**
   * Number of rows of the model's embedding table, `vocab_size` of its config. Ids from the last token up to it
   * decode to nothing. Default: the last token's id plus one.
   */
  readonly vocabSize?: number | undefined
  /**
   * Leave out merges that begin with `#`, as the reference does (transformers 4.39.3). Default true; `false`
   * tokenises `##` and `#include` as transformers from 4.40 on and all fast tokenizers do.
   */
  readonly skipHashMerges?: boolean | undefined
}

/** How text is turned into ids. */
export interface EncodeOptions {
  /**
   * Turn added tokens in the text, such as `<|im_end|>`, into their ids. Default false: they stay text.
   * Only for text that you wrote yourself.
   */
  readonly allowSpecial?: boolean | undefined
}

/**
 * Text to token ids and back: byte-level BPE as Qwen2 and Llama 3 have it, or a SentencePiece model as InternLM2 has it.
 *
 * Gives the ids of the official tokenizer: normalisation of the whole text, then added tokens, then the rules of the files.
 */
export class Tokenizer {
  /** Number of ids: valid ids are 0 to `vocabSize - 1`. */
  readonly vocabSize: number
  /** Added tokens by id, control tokens among them. */
  readonly addedTokens: readonly AddedToken[]
  /** Ids that end an answer: those of the prompt format, without one the tokenizer's own end of text. */
  readonly stopTokenIds: readonly number[]
  /** Id that stands for one image embedding; `undefined` without a prompt format, or if it takes no images. */
  readonly imageTokenId: number | undefined

  private readonly decoder: TokenDecoder
  private readonly matcher: AddedTokenMatcher

  protected constructor(
    private readonly vocabulary: Vocabulary,
    private readonly promptFormat: PromptFormat | undefined,
    vocabSize: number | undefined,
  ) {
    const { base, addedTokens, eosTokenId } = vocabulary
    this.decoder = new TokenDecoder(base, addedTokens)
    this.matcher = new AddedTokenMatcher(addedTokens)
    this.addedTokens = [...addedTokens].sort((a, b) => a.id - b.id)
    this.vocabSize = checkVocabSize(vocabulary, vocabSize)
    const ownStops = eosTokenId === undefined ? [] : [eosTokenId]
    this.stopTokenIds = promptFormat?.stopTokens.map(text => this.requireToken(text)) ?? ownStops
    const imageToken = promptFormat?.imageToken
    this.imageTokenId = imageToken === undefined ? undefined : this.requireToken(imageToken)
  }

  /**
   * Make a tokenizer from files that are already read; `readTokenizerFiles` reads them from a folder.
   *
   * @param promptFormat - how the model writes conversations; needed for `buildPrompt` and `encodePrompt`
   * @throws {NVLMError} MODEL_INVALID, MODEL_NOT_FOUND or MODEL_UNSUPPORTED, naming the file
   */
  static fromFiles(
    files: TokenizerFiles,
    promptFormat?: PromptFormat,
    options: TokenizerOptions = {},
  ): Tokenizer {
    const vocabulary = parseVocabulary(files, { skipHashMerges: options.skipHashMerges ?? true })
    return new Tokenizer(vocabulary, promptFormat, options.vocabSize)
  }

  /** Token ids of a text. Nothing is added before or after it. */
  encode(text: string, { allowSpecial = false }: EncodeOptions = {}): number[] {
    return this.encodePieces([{ text, isControl: allowSpecial }])
  }

  /**
   * Token ids of a prompt whose pieces have different origins.
   *
   * The pieces are tokenised as one string, so that words and merges run across their borders. Added tokens are
   * recognised only where they lie wholly inside control pieces; neighbouring control pieces count as one.
   */
  encodePieces(pieces: readonly PromptPiece[]): number[] {
    const { base } = this.vocabulary
    const ids: number[] = []
    let plain = ''
    const normalized = base.normalization === 'NFC' ? normalizePieces(pieces) : joinByOrigin(pieces)
    for (const { text, isControl } of normalized) {
      if (!isControl) {
        plain += text
        continue
      }
      for (const part of this.matcher.split(text)) {
        if ('text' in part) plain += part.text
        else {
          base.encodeInto(plain, ids)
          plain = ''
          ids.push(part.id)
        }
      }
    }
    base.encodeInto(plain, ids)
    return ids
  }

  /**
   * Text of token ids.
   *
   * @throws {NVLMError} INVALID_OPTION for an id outside of 0 to `vocabSize - 1`
   */
  decode(ids: Iterable<number>, options: DecodeOptions = {}): string {
    const checked = [...ids]
    for (const id of checked) this.checkId(id)
    return this.decoder.decode(checked, options)
  }

  /**
   * Bytes of one token's text, UTF-8 that may begin or end inside a character.
   *
   * @throws {NVLMError} INVALID_OPTION for an id outside of 0 to `vocabSize - 1`
   */
  tokenBytes(id: number): Uint8Array {
    this.checkId(id)
    return this.decoder.tokenBytes(id)
  }

  /** Decode ids one by one; the joined pieces are what `decode` gives for all of them. */
  stream(options: DecodeOptions = {}): TokenTextStream {
    const stream = this.decoder.stream(options)
    const push = (id: number): string => {
      this.checkId(id)
      return stream.push(id)
    }
    return { push, flush: () => stream.flush() }
  }

  /**
   * The prompt of a conversation as text, ready for the model's answer.
   *
   * For reading and comparing: use `encodePrompt` for the ids, which knows the user's text from the template's.
   *
   * @param tileCounts - number of tiles of each image in order of appearance, thumbnail included
   * @param tools - tools that the model may call
   * @throws {NVLMError} UNSUPPORTED without a prompt format; INVALID_OPTION as `PromptFormat.writePrompt`
   */
  buildPrompt(
    messages: readonly Message[],
    tileCounts: readonly number[] = [],
    tools: readonly ToolDefinition[] = [],
  ): string {
    return this.writePrompt(messages, tileCounts, tools)
      .map(piece => piece.text)
      .join('')
  }

  /**
   * The prompt of a conversation as token ids, after the begin of text where the model has one; parameters and errors
   * as `buildPrompt`.
   */
  encodePrompt(
    messages: readonly Message[],
    tileCounts: readonly number[] = [],
    tools: readonly ToolDefinition[] = [],
  ): number[] {
    return [...this.placePrompt(messages, tileCounts, tools).inputIds]
  }

  /** The same ids, with the places of the pictures for a model that looks at them by cross-attention. */
  placePrompt(
    messages: readonly Message[],
    tileCounts: readonly number[] = [],
    tools: readonly ToolDefinition[] = [],
  ): EncodedPrompt {
    const pieces = this.writePrompt(messages, tileCounts, tools)
    const encode = (some: readonly PromptPiece[]) => this.encodePieces(some)
    const { inputIds, pictures } = encodeWithPlaces(pieces, encode, this.vocabulary.firstIds)
    const crossIds = (index: number) =>
      this.promptFormat?.crossTexts?.(tileCounts[index]!).map(text => this.encode(text)) ?? []
    return { inputIds, pictures: pictures.map((one, index) => ({ ...one, crossIds: crossIds(index) })) }
  }

  /** Id of one token: an added token by its text, any other as its file spells it (`Ġthe` for " the"). */
  tokenId(text: string): number | undefined {
    return this.addedTokens.find(token => token.text === text)?.id ?? this.vocabulary.base.ids.get(text)
  }

  private writePrompt(
    messages: readonly Message[],
    tileCounts: readonly number[],
    tools: readonly ToolDefinition[],
  ): readonly PromptPiece[] {
    if (this.promptFormat !== undefined) return this.promptFormat.writePrompt(messages, tileCounts, tools)
    throw new NVLMError('UNSUPPORTED', 'this tokenizer has no prompt format', {
      hint: "Pass the model family's prompt format to Tokenizer.fromFiles, or encode the text of a prompt yourself.",
    })
  }

  private requireToken(text: string): number {
    const id = this.tokenId(text)
    if (id !== undefined) return id
    throw new NVLMError(
      'MODEL_INVALID',
      `tokenizer has no token ${quoted(text)}, which the prompt format needs`,
      {
        hint: 'The tokenizer files and the model configuration do not belong together: download both again.',
      },
    )
  }

  private checkId(id: number): void {
    if (Number.isInteger(id) && id >= 0 && id < this.vocabSize) return
    throw new NVLMError('INVALID_OPTION', `token id ${id} is not an integer of 0 to ${this.vocabSize - 1}`)
  }
}

/** The embedding table must have a row for every token. */
function checkVocabSize({ base, addedTokens }: Vocabulary, vocabSize: number | undefined): number {
  let numIds = 0
  for (const id of base.ids.values()) numIds = Math.max(numIds, id + 1)
  for (const { id } of addedTokens) numIds = Math.max(numIds, id + 1)
  if (vocabSize === undefined) return numIds
  if (!Number.isSafeInteger(vocabSize) || vocabSize < numIds) {
    throw new NVLMError(
      'MODEL_INVALID',
      `tokenizer has ${numIds} token ids, the model's vocab_size is ${vocabSize}`,
      {
        hint: 'The tokenizer files and config.json do not belong together: download both again.',
      },
    )
  }
  return vocabSize
}

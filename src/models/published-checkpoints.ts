/** Sizes of a published language model. */
export interface PublishedLanguageModel {
  /** The repository it was published in. */
  readonly name: string
  readonly architecture: 'Qwen2ForCausalLM' | 'LlamaForCausalLM' | 'InternLM2ForCausalLM'
  readonly numHiddenLayers: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly numAttentionHeads: number
  readonly numKeyValueHeads: number
}

/** Sizes of a published vision tower. */
export interface PublishedVisionTower {
  readonly name: string
  readonly numHiddenLayers: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly numAttentionHeads: number
  /** The small tower has LayerNorm and a bias on queries, keys and values; the large one RMSNorm, also on queries and keys. */
  readonly isLarge: boolean
}

/** A checkpoint that people download, as far as its model card and settings describe it. */
export interface PublishedCheckpoint {
  /** Repository on the Hugging Face hub. */
  readonly id: string
  /** Definition that reads it. */
  readonly family: 'nvlm-d' | 'internvl' | 'internvl-hf'
  readonly vision: PublishedVisionTower
  readonly language: PublishedLanguageModel
  readonly vocabSize: number
  /** `template` of config.json; absent in transformers' own form. */
  readonly template: string | undefined
  readonly maxTiles: number
  /** Most tokens of prompt and answer. */
  readonly contextLength: number
  /** `license` of the model card; undefined where the card is to be read. */
  readonly licence: string | undefined
}

const vit300M = tower('InternViT-300M', 24, 1024, 4096, 16, false)
const vit6B = tower('InternViT-6B', 45, 3200, 12_800, 25, true)

const qwen = 'Qwen2ForCausalLM'
const internlm = 'InternLM2ForCausalLM'
const llama = 'LlamaForCausalLM'

const qwen05B = decoder('Qwen2.5-0.5B-Instruct', qwen, 24, 896, 4864, 14, 2)
const qwen15B = decoder('Qwen2.5-1.5B-Instruct', qwen, 28, 1536, 8960, 12, 2)
const qwen3B = decoder('Qwen2.5-3B-Instruct', qwen, 36, 2048, 11_008, 16, 2)
const qwen7B = decoder('Qwen2.5-7B-Instruct', qwen, 28, 3584, 18_944, 28, 4)
const qwen14B = decoder('Qwen2.5-14B-Instruct', qwen, 48, 5120, 13_824, 40, 8)
const qwen32B = decoder('Qwen2.5-32B-Instruct', qwen, 64, 5120, 27_648, 40, 8)
const qwen72B = decoder('Qwen2.5-72B-Instruct', qwen, 80, 8192, 29_568, 64, 8)
const internlm2B = decoder('internlm2_5-1_8b-chat', internlm, 24, 2048, 8192, 16, 8)
const internlm7B = decoder('internlm2_5-7b-chat', internlm, 32, 4096, 14_336, 32, 8)
const internlm20B = decoder('internlm2_5-20b-chat', internlm, 48, 6144, 16_384, 48, 8)
const yi34B = decoder('Nous-Hermes-2-Yi-34B', llama, 60, 7168, 20_480, 56, 8)
const llama70B = decoder('Hermes-2-Theta-Llama-3-70B', llama, 80, 8192, 28_672, 64, 8)

/** Vocabulary sizes: the language model's own tokens and those of InternVL. */
const QWEN2_5_VOCAB = 151_674
const INTERNLM2_VOCAB = 92_553

/**
 * The published checkpoints of the families that run, smallest first within a series.
 *
 * Layers, widths and heads are those of the language models that the model cards name. The vocabulary sizes of
 * InternVL2-40B and InternVL2-Llama3-76B, and their context lengths, are those of their language models with InternVL's
 * tokens added (nine; seven in the first, as the added_tokens.json of its pretrained form): their config.json was not at
 * hand. Nothing but lists and tests is made from this table; what a folder holds is always read from its own config.json.
 *
 * @see https://huggingface.co/OpenGVLab, https://huggingface.co/nvidia/NVLM-D-72B
 */
export const publishedCheckpoints: readonly PublishedCheckpoint[] = [
  {
    ...{ id: 'nvidia/NVLM-D-72B', family: 'nvlm-d', vision: vit6B, vocabSize: 152_064, template: 'chatml' },
    language: { ...qwen72B, name: 'Qwen2-72B-Instruct' },
    ...{ maxTiles: 6, contextLength: 32_768, licence: 'cc-by-nc-4.0' },
  },
  chat('InternVL2-1B', vit300M, { ...qwen05B, name: 'Qwen2-0.5B-Instruct' }, 151_655, 'Hermes-2', 'mit'),
  chat(
    'InternVL2-2B',
    vit300M,
    { ...internlm2B, name: 'internlm2-chat-1_8b' },
    INTERNLM2_VOCAB,
    'internlm2-chat',
    'mit',
  ),
  chat('InternVL2-8B', vit300M, internlm7B, INTERNLM2_VOCAB, 'internlm2-chat', 'mit'),
  chat(
    'InternVL2-26B',
    vit6B,
    { ...internlm20B, name: 'internlm2-chat-20b' },
    INTERNLM2_VOCAB,
    'internlm2-chat',
    'mit',
  ),
  { ...chat('InternVL2-40B', vit6B, yi34B, 64_007, 'Hermes-2', undefined), contextLength: 4096 },
  {
    ...chat('InternVL2-Llama3-76B', vit6B, llama70B, 128_265, 'internlm2-chat', undefined),
    contextLength: 8192,
  },
  chat('InternVL2_5-1B', vit300M, qwen05B, QWEN2_5_VOCAB, 'internvl2_5', 'mit'),
  chat('InternVL2_5-2B', vit300M, internlm2B, INTERNLM2_VOCAB, 'internvl2_5', 'mit'),
  chat('InternVL2_5-4B', vit300M, qwen3B, QWEN2_5_VOCAB, 'internvl2_5', 'mit'),
  chat('InternVL2_5-8B', vit300M, internlm7B, INTERNLM2_VOCAB, 'internvl2_5', 'mit'),
  chat('InternVL2_5-26B', vit6B, internlm20B, INTERNLM2_VOCAB, 'internvl2_5', undefined),
  chat('InternVL2_5-38B', vit6B, qwen32B, QWEN2_5_VOCAB, 'internvl2_5', undefined),
  chat('InternVL2_5-78B', vit6B, qwen72B, QWEN2_5_VOCAB, 'internvl2_5', undefined),
  chat('InternVL3-1B', vit300M, qwen05B, QWEN2_5_VOCAB, 'internvl2_5', 'apache-2.0'),
  chat('InternVL3-2B', vit300M, qwen15B, QWEN2_5_VOCAB, 'internvl2_5', undefined),
  chat('InternVL3-8B', vit300M, qwen7B, QWEN2_5_VOCAB, 'internvl2_5', 'apache-2.0'),
  chat('InternVL3-14B', vit300M, qwen14B, QWEN2_5_VOCAB, 'internvl2_5', 'apache-2.0'),
  chat('InternVL3-38B', vit6B, qwen32B, QWEN2_5_VOCAB, 'internvl2_5', undefined),
  chat('InternVL3-78B', vit6B, qwen72B, QWEN2_5_VOCAB, 'internvl2_5', undefined),
  native('InternVL3-1B-hf', vit300M, qwen05B),
  native('InternVL3-2B-hf', vit300M, qwen15B),
  native('InternVL3-8B-hf', vit300M, qwen7B),
  native('InternVL3-14B-hf', vit300M, qwen14B),
  native('InternVL3-38B-hf', vit6B, qwen32B),
  native('InternVL3-78B-hf', vit6B, qwen72B),
]

function chat(
  name: string,
  vision: PublishedVisionTower,
  language: PublishedLanguageModel,
  vocabSize: number,
  template: string,
  licence: string | undefined,
): PublishedCheckpoint {
  return {
    ...{ id: `OpenGVLab/${name}`, family: 'internvl', vision, language, vocabSize, template },
    ...{ maxTiles: 12, contextLength: 32_768, licence },
  }
}

function native(
  name: string,
  vision: PublishedVisionTower,
  language: PublishedLanguageModel,
): PublishedCheckpoint {
  return {
    ...{ id: `OpenGVLab/${name}`, family: 'internvl-hf', vision, language, vocabSize: QWEN2_5_VOCAB },
    ...{ template: undefined, maxTiles: 12, contextLength: 32_768, licence: 'qwen' },
  }
}

function decoder(
  name: string,
  architecture: PublishedLanguageModel['architecture'],
  numHiddenLayers: number,
  hiddenSize: number,
  intermediateSize: number,
  numAttentionHeads: number,
  numKeyValueHeads: number,
): PublishedLanguageModel {
  return {
    ...{ name, architecture, numHiddenLayers, hiddenSize, intermediateSize },
    ...{ numAttentionHeads, numKeyValueHeads },
  }
}

function tower(
  name: string,
  numHiddenLayers: number,
  hiddenSize: number,
  intermediateSize: number,
  numAttentionHeads: number,
  isLarge: boolean,
): PublishedVisionTower {
  return { name, numHiddenLayers, hiddenSize, intermediateSize, numAttentionHeads, isLarge }
}

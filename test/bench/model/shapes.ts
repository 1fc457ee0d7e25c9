/** Sizes of a Qwen2 decoder, named as in config.json's translation. */
export interface DecoderShape {
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly numHiddenLayers: number
  readonly numAttentionHeads: number
  readonly numKeyValueHeads: number
  readonly headDim: number
  readonly vocabSize: number
}

/** Sizes of an InternViT. */
export interface VisionShape {
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly numHiddenLayers: number
  readonly numAttentionHeads: number
  readonly imageSize: number
  readonly patchSize: number
}

/** A model of the benchmark. */
export interface ModelShape {
  readonly name: string
  readonly decoder: DecoderShape
  readonly vision: VisionShape
}

/** Settings that all shapes share, as in InternVL3-1B's config.json. */
export const common = { ropeTheta: 1_000_000, rmsNormEps: 1e-6, maxPositionEmbeddings: 32_768 }

/** Tokens of Qwen2.5 and of InternVL together. */
const VOCAB_SIZE = 151_674

/** The models that can be made: the true one, and one for trying the benchmark itself. */
export const shapes = {
  /** InternViT-300M and Qwen2.5-0.5B. */
  'internvl3-1b': {
    name: 'internvl3-1b',
    decoder: {
      hiddenSize: 896,
      intermediateSize: 4864,
      numHiddenLayers: 24,
      numAttentionHeads: 14,
      numKeyValueHeads: 2,
      headDim: 64,
      vocabSize: VOCAB_SIZE,
    },
    vision: {
      hiddenSize: 1024,
      intermediateSize: 4096,
      numHiddenLayers: 24,
      numAttentionHeads: 16,
      imageSize: 448,
      patchSize: 14,
    },
  },
  tiny: {
    name: 'tiny',
    decoder: {
      hiddenSize: 128,
      intermediateSize: 256,
      numHiddenLayers: 2,
      numAttentionHeads: 4,
      numKeyValueHeads: 2,
      headDim: 32,
      vocabSize: VOCAB_SIZE,
    },
    vision: {
      hiddenSize: 64,
      intermediateSize: 128,
      numHiddenLayers: 2,
      numAttentionHeads: 2,
      imageSize: 448,
      patchSize: 14,
    },
  },
} as const satisfies Readonly<Record<string, ModelShape>>

export type ShapeName = keyof typeof shapes

export function isShapeName(name: string): name is ShapeName {
  return Object.hasOwn(shapes, name)
}

import { randomWords, seedOf } from './grid-matrix.js'
import type { ModelShape } from './shapes.js'

/** A bfloat16 tensor of random numbers, evenly spread around `center`. */
export interface RandomTensor {
  readonly name: string
  readonly shape: readonly number[]
  readonly center: number
  readonly spread: number
}

/** The vision tower and the projector of InternVL with the 300M tower: LayerNorm, biases everywhere. */
export function visionTensors({ vision, decoder }: ModelShape): readonly RandomTensor[] {
  const { hiddenSize, intermediateSize, numHiddenLayers, imageSize, patchSize } = vision
  const patches = (imageSize / patchSize) ** 2
  const shuffled = 4 * hiddenSize
  const embeddings = 'vision_model.embeddings'
  return [
    plain(`${embeddings}.class_embedding`, 0.5, 1, 1, hiddenSize),
    plain(`${embeddings}.patch_embedding.weight`, 0.07, hiddenSize, 3, patchSize, patchSize),
    plain(`${embeddings}.patch_embedding.bias`, 0.1, hiddenSize),
    plain(`${embeddings}.position_embedding`, 0.5, 1, patches + 1, hiddenSize),
    ...Array.from({ length: numHiddenLayers }, (_, layer) => {
      const at = (name: string) => `vision_model.encoder.layers.${layer}.${name}`
      return [
        ...norm(at('norm1'), hiddenSize),
        ...linear(at('attn.qkv'), 3 * hiddenSize, hiddenSize),
        ...linear(at('attn.proj'), hiddenSize, hiddenSize),
        ...norm(at('norm2'), hiddenSize),
        ...linear(at('mlp.fc1'), intermediateSize, hiddenSize),
        ...linear(at('mlp.fc2'), hiddenSize, intermediateSize),
        plain(at('ls1'), 0.2, hiddenSize),
        plain(at('ls2'), 0.2, hiddenSize),
      ]
    }).flat(),
    ...norm('mlp1.0', shuffled),
    ...linear('mlp1.1', decoder.hiddenSize, shuffled),
    ...linear('mlp1.3', decoder.hiddenSize, decoder.hiddenSize),
  ]
}

/** `count` bfloat16 codes of a tensor, from element `first`, a multiple of 4, on: one of 256 values for each. */
export function randomBfloat16(
  { name, center, spread }: RandomTensor,
  first: number,
  count: number,
): Uint16Array {
  const values = Float32Array.from({ length: 256 }, (_, i) => center + spread * (i / 127.5 - 1))
  const halves = new Uint16Array(values.buffer)
  const table = Uint16Array.from(values, (_, i) => halves[2 * i + 1]!)
  const codes = new Uint16Array(count)
  const words = randomWords(seedOf(name), first)
  for (let i = 0; i < count; i += 4) {
    const word = words()
    for (let byte = 0; byte < 4 && i + byte < count; byte++)
      codes[i + byte] = table[(word >>> (8 * byte)) & 255]!
  }
  return codes
}

function plain(name: string, spread: number, ...shape: number[]): RandomTensor {
  return { name, shape, center: 0, spread }
}

function linear(name: string, rows: number, columns: number): readonly RandomTensor[] {
  return [plain(`${name}.weight`, 1.7 / Math.sqrt(columns), rows, columns), plain(`${name}.bias`, 0.02, rows)]
}

function norm(name: string, size: number): readonly RandomTensor[] {
  return [
    { name: `${name}.weight`, shape: [size], center: 1, spread: 0.1 },
    plain(`${name}.bias`, 0.02, size),
  ]
}

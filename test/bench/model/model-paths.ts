import { join } from 'node:path'
import type { ShapeName } from './shapes.js'

/** Where the pieces of one model lie. */
export interface ModelPaths {
  readonly folder: string
  /** The whole model as OpenGVLab publishes one, and the decoder alone as Qwen does. */
  readonly checkpoint: string
  readonly decoderCheckpoint: string
  /** The same two, prepared by nvlm-ts. */
  readonly nvlm: string
  readonly nvlmDecoder: string
  readonly gguf: string
  readonly transformers: string
}

/** Default place of all that the benchmark makes. */
export const defaultDataFolder = 'test/bench/data'

export function modelPaths(dataFolder: string, shape: ShapeName): ModelPaths {
  const folder = join(dataFolder, shape)
  return {
    folder,
    checkpoint: join(folder, 'checkpoint'),
    decoderCheckpoint: join(folder, 'decoder-checkpoint'),
    nvlm: join(folder, 'nvlm'),
    nvlmDecoder: join(folder, 'nvlm-decoder'),
    gguf: join(folder, 'decoder-q4_0.gguf'),
    transformers: join(folder, 'transformers'),
  }
}

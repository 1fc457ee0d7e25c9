/** Rotary angles of some positions. */
export interface RotaryRows {
  /** float32 [positions, headDim / 2]. */
  readonly cos: Float32Array
  readonly sin: Float32Array
}

/** How a model stretches its rotary frequencies. */
export type RopeScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | {
      /** Low frequencies are divided by the factor, high ones kept, those between blended. */
      readonly type: 'llama3'
      readonly factor: number
      readonly lowFrequencyFactor: number
      readonly highFrequencyFactor: number
      readonly originalMaxPositions: number
    }

/** Computes the rotary tables of a model, rounding to float32 where PyTorch does. */
export class RotaryTable {
  private readonly inverseFrequencies: Float32Array

  /** @param theta - base of the frequencies; `rope_theta` of config.json */
  constructor(headDim: number, theta: number, scaling?: RopeScaling | undefined) {
    this.inverseFrequencies = Float32Array.from({ length: headDim / 2 }, (_, i) => {
      const frequency = 1 / Math.fround(theta ** Math.fround((2 * i) / headDim))
      return scaling === undefined ? frequency : scaleFrequency(Math.fround(frequency), scaling)
    })
  }

  /** @see huggingface/transformers v4.39.3 `modeling_qwen2.py`, `Qwen2RotaryEmbedding` */
  rows(positionIds: ArrayLike<number>): RotaryRows {
    const half = this.inverseFrequencies.length
    const cos = new Float32Array(positionIds.length * half)
    const sin = new Float32Array(positionIds.length * half)
    for (let row = 0; row < positionIds.length; row++) {
      for (let i = 0; i < half; i++) {
        const angle = Math.fround(positionIds[row]! * this.inverseFrequencies[i]!)
        cos[row * half + i] = Math.cos(angle)
        sin[row * half + i] = Math.sin(angle)
      }
    }
    return { cos, sin }
  }
}

/** @see huggingface/transformers v4.52 `modeling_rope_utils.py`, `_compute_llama3_parameters` */
function scaleFrequency(frequency: number, scaling: RopeScaling): number {
  if (scaling.type === 'linear') return frequency / scaling.factor
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions } = scaling
  const numTurns = (originalMaxPositions * frequency) / (2 * Math.PI)
  if (numTurns < low) return frequency / factor
  if (numTurns > high) return frequency
  const share = (numTurns - low) / (high - low)
  return (1 - share) * (frequency / factor) + share * frequency
}

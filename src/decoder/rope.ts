/** Rotary angles of some positions. */
export interface RotaryRows {
  /** float32 [positions, headDim / 2]. */
  readonly cos: Float32Array
  readonly sin: Float32Array
}

/** Computes the rotary tables of a model, rounding to float32 where PyTorch does. */
export class RotaryTable {
  private readonly inverseFrequencies: Float32Array

  /** @param theta - base of the frequencies; `rope_theta` of config.json */
  constructor(headDim: number, theta: number) {
    this.inverseFrequencies = Float32Array.from({ length: headDim / 2 }, (_, i) => {
      return 1 / Math.fround(theta ** Math.fround((2 * i) / headDim))
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

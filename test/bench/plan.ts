/** How much is measured. */
export interface Plan {
  /** Contexts of the decode rounds, the longest first, since caches are only ever cut. */
  readonly contexts: readonly number[]
  readonly decodeRounds: number
  /** Tokens a round. */
  readonly decodeSteps: number
  readonly prefills: readonly number[]
  readonly prefillRounds: number
  /** Fresh processes for each contestant, to time loading. */
  readonly loads: number
  /** The photo that is tiled. */
  readonly photo: { readonly width: number; readonly height: number; readonly rounds: number }
  /** Tokens of the answer that copies its prompt. */
  readonly copyTokens: number
  /** Pictures of each size, and copied texts. */
  readonly pictureRounds: number
  /** Floats of the array that is streamed, and side of the matrices that are multiplied. */
  readonly limits: { readonly floats: number; readonly side: number; readonly rounds: number }
}

/** About ten minutes on two cores. */
export const fullPlan: Plan = {
  contexts: [4096, 1024, 128],
  decodeRounds: 5,
  decodeSteps: 32,
  prefills: [512, 1792],
  prefillRounds: 3,
  loads: 3,
  photo: { width: 4032, height: 3024, rounds: 5 },
  copyTokens: 160,
  pictureRounds: 2,
  limits: { floats: 2 ** 27, side: 2048, rounds: 5 },
}

/** Everything once and short: shows that it runs, not how fast. */
export const quickPlan: Plan = {
  contexts: [192, 96, 32],
  decodeRounds: 2,
  decodeSteps: 4,
  prefills: [64, 160],
  prefillRounds: 2,
  loads: 1,
  photo: { width: 1600, height: 1200, rounds: 2 },
  copyTokens: 24,
  pictureRounds: 1,
  limits: { floats: 2 ** 22, side: 256, rounds: 2 },
}
